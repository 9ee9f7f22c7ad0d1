package io.headspan.systemtests;

import io.headspan.launcher.RoleProcess;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SqlQuery;
import io.headspan.storage.StoreAddress;
import io.headspan.storage.StoreException;
import io.headspan.systemtests.ChaosTraffic.Source;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/// Store, collectors and the samplers in them are killed (SIGKILL) at random moments while two
/// agents and an SDK send, each time they serve again. In the end [ChaosVerdict] holds what is
/// stored against what was sent.
///
/// `-Dheadspan.chaos.kills=200` kills more often than CI, `-Dheadspan.chaos.seed` repeats the order
/// of targets and pauses of an earlier run.
final class ChaosIT {
  private static final int KILLS = Integer.getInteger("headspan.chaos.kills", 20);
  private static final long SEED = Long.getLong("headspan.chaos.seed", System.nanoTime());
  private static final long PAUSE_LEAST_NS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final long PAUSE_MOST_NS = TimeUnit.SECONDS.toNanos(2);

  /// No run gets so far: an agent sends eight batches a second.
  private static final int BATCHES_OF_KILL = 200;

  private static final String POLICIES =
      """
      - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
      - {name: some, type: probabilistic, probabilistic: {sampling_percentage: 10}}
      """;

  /// A role lives for seconds here: what C2 would make of its code comes too late, and takes half
  /// of the time of a start.
  private static final Map.Entry<String, String> QUICK_START =
      Map.entry("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1");

  /// Below the ports that are given to outgoing connections: one of those must not have a role's
  /// port when it starts again.
  private static final int PORTS_FROM = 20_000;

  private static final int PORTS_TO = 30_000;

  private final Random random = new Random(SEED);
  private final Map<Target, Integer> kills = new EnumMap<>(Target.class);
  private final List<RoleProcess> collectors = new ArrayList<>();
  private final List<String> collectorAddresses = new ArrayList<>();

  /// With the store, which stays if something in it is wrong.
  @TempDir(cleanup = CleanupMode.ON_SUCCESS)
  private Path directory;

  private Map<String, String> collectorSettings;
  private String storeAddress;
  private RoleProcess engine;
  private SpanStore store;
  private ChaosSenders senders;
  private ChaosTraffic traffic;
  private boolean passed;

  /// What is killed.
  private enum Target {
    STORE,
    LEFT_COLLECTOR,
    RIGHT_COLLECTOR,

    /// The collector that has the lease; either if none has.
    SAMPLER,

    STORE_AND_SAMPLER
  }

  @BeforeEach
  void start() throws IOException {
    System.out.printf("chaos: kills=%d, seed=%d%n", KILLS, SEED);
    Path policies = Files.writeString(directory.resolve("policies.yaml"), POLICIES);
    collectorSettings =
        Map.ofEntries(
            QUICK_START,
            Map.entry("HEADSPAN_COLLECTOR_SAMPLING_POLICIES", policies.toString()),
            Map.entry("HEADSPAN_COLLECTOR_DECISION_WAIT", "1s"),
            Map.entry("HEADSPAN_COLLECTOR_DECISION_WAIT_AFTER_ROOT", "300ms"),
            Map.entry("HEADSPAN_COLLECTOR_RECENT_WINDOW", "45s"));
    storeAddress = freeAddress();
    collectorAddresses.add(freeAddress());
    collectorAddresses.add(freeAddress());
    engine = startStore();
    store = SpanStore.connect(StoreAddress.parse("http://" + storeAddress));
    store.migrate();
    collectors.add(startCollector(0));
    collectors.add(startCollector(1));
    traffic = ChaosTraffic.endingBy(Instant.now(), KILLS * BATCHES_OF_KILL);
    senders = new ChaosSenders(traffic, collectorAddresses, directory);
  }

  @AfterEach
  void stop() {
    if (!passed) {
      System.out.printf(
          "chaos: failed, kills=%s, store=%s%n%s%n", kills, directory, engine.output());
      collectors.forEach(each -> System.out.println("collector:\n" + each.output()));
    }
    senders.close();
    collectors.forEach(RoleProcess::close);
    store.close();
    engine.close();
  }

  @Test
  void holdsEverySpanOnceWhateverIsKilled() throws Exception {
    Instant started = Instant.now();
    for (int kill = 0; kill < KILLS; kill++) {
      Map<Source, Long> before = senders.acknowledged();
      Await.until(
          "batches of all senders are stored",
          () -> seed() + ", " + before + " -> " + senders.acknowledged(),
          () -> isProgress(before));
      senders.check();
      LockSupport.parkNanos(random.nextLong(PAUSE_LEAST_NS, PAUSE_MOST_NS));
      kill(Target.values()[random.nextInt(Target.values().length)]);
    }
    senders.finish();
    Duration chaos = Duration.between(started, Instant.now());

    try (RoleProcess query =
        RoleProcess.start(
            "query",
            Map.ofEntries(QUICK_START),
            "--listen",
            freeAddress(),
            "--store",
            "http://" + storeAddress)) {
      ChaosVerdict verdict = new ChaosVerdict(traffic, senders, store, query.address(), seed());
      verdict.awaitDecisions();
      verdict.awaitLedger(started);
      // So that no window is closed between two looks.
      collectors.forEach(RoleProcess::close);
      verdict.check();
      System.out.printf(
          Locale.ROOT,
          "chaos: kills=%d %s, seed=%d, spans=%d, brokenStreams=%d, %s, %d s of kills, %d s in all%n",
          KILLS,
          kills,
          SEED,
          senders.spans(),
          senders.brokenStreams(),
          verdict,
          chaos.toSeconds(),
          Duration.between(started, Instant.now()).toSeconds());
    }
    passed = true;
  }

  private static String seed() {
    return "headspan.chaos.seed=" + SEED;
  }

  private boolean isProgress(Map<Source, Long> before) {
    Map<Source, Long> now = senders.acknowledged();
    return before.entrySet().stream()
        .allMatch(each -> now.getOrDefault(each.getKey(), 0L) > each.getValue());
  }

  private void kill(Target target) {
    switch (target) {
      case STORE -> restartStore();
      case LEFT_COLLECTOR -> restartCollector(0);
      case RIGHT_COLLECTOR -> restartCollector(1);
      case SAMPLER -> restartCollector(sampling());
      case STORE_AND_SAMPLER -> {
        int sampling = sampling();
        engine.kill();
        restartCollector(sampling);
        engine = startStore();
      }
    }
    var _ = kills.merge(target, 1, Integer::sum);
  }

  /// The collector that has the lease, by what it has logged; either if none has.
  private int sampling() {
    String holder;
    try {
      holder =
          store
              .query(
                  SqlQuery.of(
                      "SELECT holder FROM sampler_lease WHERE until > now64(3)"
                          + " GROUP BY holder ORDER BY min(since), holder LIMIT 1"),
                  row -> row.text(0))
              .stream()
              .findFirst()
              .orElse("nobody");
    } catch (StoreException e) {
      throw new AssertionError("the store served a moment ago: " + seed(), e);
    }
    for (int i = 0; i < collectors.size(); i++) {
      if (collectors.get(i).output().contains("samples from now on: holder=" + holder)) {
        return i;
      }
    }
    return random.nextInt(collectors.size());
  }

  private void restartStore() {
    engine.kill();
    engine = startStore();
  }

  private void restartCollector(int which) {
    collectors.get(which).kill();
    collectors.set(which, startCollector(which));
  }

  private RoleProcess startStore() {
    return RoleProcess.start(
        "store",
        Map.ofEntries(QUICK_START),
        "--listen",
        storeAddress,
        "--path",
        directory.resolve("store").toString());
  }

  private RoleProcess startCollector(int which) {
    return RoleProcess.start(
        "collector",
        collectorSettings,
        "--listen",
        collectorAddresses.get(which),
        "--store",
        "http://" + storeAddress);
  }

  private static String freeAddress() throws IOException {
    Random ports = new Random();
    while (true) {
      int port = ports.nextInt(PORTS_FROM, PORTS_TO);
      try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
        return "127.0.0.1:" + socket.getLocalPort();
      } catch (BindException _) {
        // It is taken; the next one need not be.
      }
    }
  }
}
