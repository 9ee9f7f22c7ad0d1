package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.collector.Await;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.Tier;
import io.headspan.storage.embedded.StoreProcess;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the kept tier holds after samplers were killed, one after the other, while they copied:
/// each span once. `-Dheadspan.kills=N` kills more of them than CI has time for.
class SamplerKillIT {
  private static final int KILLS = Integer.getInteger("headspan.kills", 5);
  private static final String ALL = "[{name: all, type: always_sample}]";
  private static final int TRACES = 4_000;
  private static final int SPANS = 5;
  private static final long MS = 1_000_000;

  private static final Duration LIMIT = Duration.ofMinutes(2);

  @TempDir private Path directory;
  private StoreProcess process;
  private SpanStore store;

  /// A sampler in a process of its own.
  public static final class Main {
    private Main() {}

    /// Samples until it is killed.
    ///
    /// @param arguments the store's address: host, port, database
    public static void main(String[] arguments) {
      SpanStore store =
          SpanStore.connect(
              StoreAddress.parse(
                  "http://%s:%s/%s".formatted(arguments[0], arguments[1], arguments[2])));
      var _ = Sampler.start(store, config(), () -> true);
      while (true) {
        LockSupport.park();
      }
    }
  }

  private static SamplerConfig config() {
    return new SamplerConfig(
        Optional.of(ALL),
        Duration.ZERO,
        Duration.ZERO,
        Duration.ofHours(6),
        Duration.ZERO,
        200_000,
        true);
  }

  @BeforeEach
  void start() {
    process = StoreProcess.start(directory);
    store = SpanStore.connect(process.address());
    store.migrate();
  }

  @AfterEach
  void stop() {
    store.close();
    process.close();
  }

  @Test
  void holdsEverySpanOnceWhoeverWasKilled() throws Exception {
    Random random = new Random(7);
    int interrupted = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      insert(kill);
      // The one before was killed and cannot give the lease back.
      SamplerIT.execute(store, "TRUNCATE TABLE sampler_lease");
      long batches = number("SELECT uniqExact(batch) FROM decisions");
      Process sampler = sampler();
      try {
        Await.until(
            "the sampler decides",
            LIMIT,
            () -> number("SELECT uniqExact(batch) FROM decisions") > batches);
        LockSupport.parkNanos(random.nextLong(100 * MS));
      } finally {
        sampler.destroyForcibly();
        assertThat(sampler.waitFor(30, TimeUnit.SECONDS)).isTrue();
      }
      interrupted += store.tiers().uncopied(0).isEmpty() ? 0 : 1;
    }
    assertThat(interrupted).describedAs("killed between recording and copying").isPositive();
    SamplerIT.execute(store, "TRUNCATE TABLE sampler_lease");

    Sampler last = new Sampler(store, config(), () -> true, Runnable::run);
    last.tick();
    last.tick();

    long spans = (long) KILLS * TRACES * SPANS;
    assertThat(number("SELECT count() FROM recent_spans")).isEqualTo(spans);
    // What the store was doing for one that was killed it may still be doing.
    Await.until(
        "no copy is under way",
        LIMIT,
        () ->
            number(
                    "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO kept_spans%'")
                == 0);
    assertThat(number("SELECT count() FROM kept_spans"))
        .isEqualTo(number("SELECT uniqExact(trace_id, span_id) FROM kept_spans"))
        .isEqualTo(spans);
    assertThat(number("SELECT uniqExact(trace_id) FROM decisions"))
        .isEqualTo((long) KILLS * TRACES);
    assertThat(store.tiers().uncopied(0)).isEmpty();
  }

  private void insert(int kill) {
    long startNs = TimeUnit.MILLISECONDS.toNanos(store.tiers().nowMillis()) - 60_000 * MS;
    TraceBuilder traces = new TraceBuilder().from("t", "s", "1");
    for (int trace = 0; trace < TRACES; trace++) {
      for (int span = 0; span < SPANS; span++) {
        traces.span((long) kill * TRACES + trace + 1, "operation " + span, startNs, MS);
      }
    }
    store.insert(traces.build(), "kill-" + kill, Tier.RECENT);
  }

  private Process sampler() throws IOException {
    StoreAddress address = process.address();
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Xmx256m");
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("--sun-misc-unsafe-memory-access=allow");
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(Main.class.getName());
    command.add(address.host());
    command.add(String.valueOf(address.port()));
    command.add(address.database());
    return new ProcessBuilder(command)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
        .redirectError(ProcessBuilder.Redirect.INHERIT)
        .start();
  }

  private long number(String sql) {
    return store.query(SqlQuery.of(sql), row -> row.integer(0)).getFirst();
  }
}
