package io.headspan.agent;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.export.SpanBatcher;
import io.headspan.agent.governor.DetailLevel;
import io.headspan.agent.http.CarriedContext;
import io.headspan.agent.http.UnreadableHead;
import io.headspan.agent.identity.Identities;
import io.headspan.agent.identity.IdentityOutcome;
import io.headspan.agent.identity.IdentitySettings;
import io.headspan.agent.identity.PlatformSettings;
import io.headspan.agent.identity.ProcFiles;
import io.headspan.agent.interference.TimeAccounts;
import io.headspan.agent.invocation.CorrelationLimits;
import io.headspan.agent.invocation.ParentEvidence;
import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.LedgerSnapshot;
import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Role;
import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import io.headspan.wire.SpanBatch;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// With made-up exchanges and cgroups, and the real `/proc`.
class InvocationPipelineTest {
  private static final int EXCLUDED_PORT = 9999;
  private static final InetSocketAddress OUTSIDE = new InetSocketAddress("10.0.0.99", 5000);
  private static final InetSocketAddress FRONT = new InetSocketAddress("10.0.0.1", 80);
  private static final InetSocketAddress BACK = new InetSocketAddress("10.0.0.2", 80);
  private static final InetSocketAddress CALLER = new InetSocketAddress("10.0.0.1", 4000);

  @TempDir Path directory;
  private Path mount;
  private Path states;
  private @Nullable Identities identities;
  private InvocationPipeline pipeline;
  private final Ledger ledger = new Ledger();
  private final List<SpanBatch> batches = new ArrayList<>();
  private int sequence = 1;

  @BeforeEach
  void makeTrees() throws IOException {
    mount = Files.createDirectories(directory.resolve("cgroup"));
    states = Files.createDirectories(directory.resolve("runc"));
    start(Path.of("/proc"));
  }

  private void start(Path proc) {
    Identities started =
        Identities.start(
            new IdentitySettings(
                mount,
                proc,
                PlatformSettings.DEFAULT.withStateRoots(List.of(states.toString())),
                directory.resolve("run"),
                Duration.ofSeconds(10),
                100,
                Duration.ofSeconds(30)),
            (_, _) -> {},
            System.nanoTime());
    identities = started;
    pipeline =
        new InvocationPipeline(
            started,
            new SpanBatcher(
                "node",
                1_000,
                Duration.ofHours(1),
                System::nanoTime,
                Instant::now,
                ledger,
                (batch, _) -> batches.add(batch)),
            TimeAccounts.off("not here"),
            ledger,
            CorrelationLimits.DEFAULT,
            Set.of(EXCLUDED_PORT),
            new SplittableRandom(1));
    pipeline.advance(System.nanoTime());
  }

  @AfterEach
  void close() {
    if (identities != null) {
      identities.close();
    }
  }

  @Test
  void holdsASpanUntilItsInstanceIsKnown() throws IOException {
    long cgroup = makeCgroup("front", "");
    pipeline.onExchange(server(cgroup, FRONT, OUTSIDE, "GET /a HTTP/1.1\r\n\r\n", false));
    assertThat(pipeline.batcher().size()).isZero();
    assertThat(pipeline.identities().waiting()).isEqualTo(1);
    makeContainer("front");
    until(() -> pipeline.batcher().size() == 1);
    pipeline.finish();
    assertThat(service(0)).isEqualTo("front-function");
  }

  @Test
  void joinsACallOfAContainerWithWhatItLedTo() throws IOException {
    long front = makeCgroup("front", "");
    long back = makeCgroup("back", "");
    makeContainer("front");
    makeContainer("back");
    HttpExchange called = server(back, BACK, CALLER, "GET /b HTTP/1.1\r\n\r\n", true);
    HttpExchange call = client(front, CALLER, BACK, called, 1, "GET /b HTTP/1.1\r\n\r\n");
    pipeline.onExchange(called);
    pipeline.onExchange(call);
    pipeline.onExchange(server(front, FRONT, OUTSIDE, "GET /a HTTP/1.1\r\n\r\n", false));
    until(() -> pipeline.batcher().size() == 3);
    assertThat(pipeline.correlator().evidence().count(ParentEvidence.CONNECTION)).isEqualTo(1);
    assertThat(pipeline.correlator().evidence().count(ParentEvidence.ONLY_OPEN)).isEqualTo(1);
    assertThat(pipeline.correlator().evidence().count(ParentEvidence.NONE)).isEqualTo(1);
  }

  @Test
  void leavesOutCallsThatNoContainerMade() throws IOException {
    long back = makeCgroup("back", "");
    makeContainer("back");
    long plain = makeCgroup("plain", "");
    HttpExchange called = server(back, BACK, CALLER, "GET /b HTTP/1.1\r\n\r\n", true);
    pipeline.onExchange(called);
    pipeline.onExchange(client(plain, CALLER, BACK, called, 0, "GET /b HTTP/1.1\r\n\r\n"));
    until(() -> ledger.dropped(DropReason.NO_CONTAINER) == 1);
    until(() -> pipeline.batcher().size() == 1);
    assertThat(pipeline.correlator().waiting()).isZero();
  }

  @Test
  void countsWhatItCannotReadAndLetsNobodyWaitForIt() throws IOException {
    long front = makeCgroup("front", "");
    makeContainer("front");
    HttpExchange unreadable = server(front, FRONT, OUTSIDE, "GET /\r\n\r\n", false);
    pipeline.onExchange(client(front, CALLER, BACK, unreadable, 1, "GET /b HTTP/1.1\r\n\r\n"));
    pipeline.onExchange(unreadable);
    until(() -> pipeline.batcher().size() == 1);
    assertThat(pipeline.unreadable().count(UnreadableHead.VERSION)).isEqualTo(1);
    assertThat(ledger.dropped(DropReason.UNREADABLE)).isEqualTo(1);
    assertThat(pipeline.contexts().count(CarriedContext.NONE)).isEqualTo(1);
    assertThat(pipeline.correlator().waiting()).isZero();
  }

  @Test
  void leavesOutExcludedPortsOfProcessesButNotOfContainers() throws IOException {
    long own = makeCgroup("own", ProcessHandle.current().pid() + "\n");
    long front = makeCgroup("front", "");
    makeContainer("front");
    InetSocketAddress excluded = new InetSocketAddress("10.0.0.1", EXCLUDED_PORT);
    pipeline.onExchange(server(own, excluded, OUTSIDE, "GET /a HTTP/1.1\r\n\r\n", false));
    pipeline.onExchange(server(front, excluded, OUTSIDE, "GET /a HTTP/1.1\r\n\r\n", false));
    until(() -> ledger.dropped(DropReason.EXCLUDED) == 1 && pipeline.batcher().size() == 1);
    pipeline.finish();
    assertThat(service(0)).isEqualTo("front-function");
  }

  @Test
  void namesTheProcessBehindAPort() throws IOException {
    long own = makeCgroup("own", ProcessHandle.current().pid() + "\n");
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      InetSocketAddress local = new InetSocketAddress("127.0.0.1", socket.getLocalPort());
      pipeline.onExchange(server(own, local, OUTSIDE, "GET /a HTTP/1.1\r\n\r\n", false));
      until(() -> pipeline.batcher().size() == 1);
    }
    pipeline.finish();
    assertThat(service(0)).isEqualTo("java");
  }

  /// With cgroups of version 1, the one of version 2 is the engine's.
  @Test
  void takesNoCgroupForAContainersThatIsNotItsOwn() throws IOException {
    String id = "3f1c8a4b5d6e7f809192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8";
    ProcFiles proc = new ProcFiles(Files.createDirectories(directory.resolve("proc")));
    proc.process(7, "web", 7, "net:[1]", "0100");
    proc.write(7, "net/tcp", ProcFiles.tcp(0, "00000000:1F90", "0A", "0100"));
    proc.write(7, "net/fib_trie", ProcFiles.routes("172.17.0.2"));
    proc.write(7, "cgroup", "1:name=systemd:/docker/" + id + "\n0::/engine\n");
    close();
    start(proc.directory());
    long engine = makeCgroup("engine", "7\n");
    pipeline.onEvent(new LifecycleEvent.Exec(1, 7, engine, "/usr/bin/web"));
    pipeline.onExchange(
        server(
            engine,
            new InetSocketAddress("172.17.0.2", 8080),
            OUTSIDE,
            "GET /a HTTP/1.1\r\n\r\n",
            false));
    until(() -> pipeline.batcher().size() == 1);
    assertThat(pipeline.identities().outcomes().count(IdentityOutcome.SHARED_CGROUP)).isEqualTo(1);
    pipeline.finish();
    assertThat(service(0)).isEqualTo(id.substring(0, 12));
    SpanBatch batch = batches.getFirst();
    assertThat(batch.spanAttributes().find(0, batch.table().intern("faas.coldstart"))).isNegative();
  }

  /// Whatever waits when the agent ends goes out with what is known, and the books balance.
  @Test
  void letsEverythingGoInTheEnd() throws IOException {
    long front = makeCgroup("front", "");
    HttpExchange called = server(front, FRONT, CALLER, "GET /b HTTP/1.1\r\n\r\n", true);
    pipeline.onExchange(called);
    pipeline.onExchange(client(front, CALLER, FRONT, called, 7, "GET /b HTTP/1.1\r\n\r\n"));
    pipeline.onExchange(server(front, FRONT, OUTSIDE, "GET /a HTTP/1.1\r\n\r\n", false));
    pipeline.onExchange(server(front, FRONT, OUTSIDE, "\u0016\u0003\u0001", false));
    pipeline.finish();
    int spans = batches.stream().mapToInt(SpanBatch::size).sum();
    assertThat(pipeline.captured().total()).isEqualTo(4);
    assertThat(spans + ledger.snapshot().total().droppedTotal()).isEqualTo(4);
    assertThat(spans).isEqualTo(2);
    assertThat(pipeline.identities().waiting()).isZero();
    assertThat(pipeline.correlator().waiting()).isZero();
  }

  /// Step 2 of the governor.
  @Test
  void leavesOutCallsAtTheSecondStepAndKeepsInvocations() throws IOException {
    long front = makeContainerCgroup("front");
    long back = makeContainerCgroup("back");
    pipeline.detail(DetailLevel.NO_CALLS);
    HttpExchange called = server(back, BACK, CALLER, "GET /b HTTP/1.1\r\n\r\n", true);
    pipeline.onExchange(called);
    pipeline.onExchange(client(front, CALLER, BACK, called, 1, "GET /b HTTP/1.1\r\n\r\n"));
    pipeline.onExchange(server(front, FRONT, OUTSIDE, "GET /a HTTP/1.1\r\n\r\n", false));
    until(() -> pipeline.batcher().size() == 2);
    assertBooks(3, 1);
  }

  /// Steps 1, 3 and 4: of how many invocations each leaves one.
  @ParameterizedTest
  @CsvSource({"FULL, 1", "NO_TIME_ACCOUNTS, 1", "NO_CALLS, 1", "SAMPLED_4, 4", "SAMPLED_16, 16"})
  void leavesOutInvocationsAtTheLastSteps(DetailLevel level, int oneOf) throws IOException {
    long front = makeContainerCgroup("front");
    pipeline.detail(level);
    int all = 800;
    for (int i = 0; i < all; i++) {
      pipeline.onExchange(at(front, i * 1_000_003L, End.RESPONSE));
    }
    pipeline.finish();
    int spans = batches.stream().mapToInt(SpanBatch::size).sum();
    assertThat(spans).isBetween(all / oneOf * 9 / 10, all / oneOf * 11 / 10);
    assertBooks(all, all - spans);
  }

  /// Whether the governor changed its mind meanwhile, or it did not: the books are exact.
  @ParameterizedTest
  @CsvSource({
    "FULL, FULL",
    "FULL, SAMPLED_16",
    "SAMPLED_16, FULL",
    "SAMPLED_16, SAMPLED_16",
    "NO_CALLS, FULL",
    "FULL, NO_CALLS"
  })
  void leavesNothingPendingOfWhatWasToldAsOpen(DetailLevel atFirst, DetailLevel atTheEnd)
      throws IOException {
    long front = makeContainerCgroup("front");
    pipeline.detail(atFirst);
    int all = 32;
    for (int i = 0; i < all; i++) {
      pipeline.onExchange(at(front, i * 1_000_003L, End.OPEN));
    }
    HttpExchange called = at(front, 1, End.RESPONSE);
    String head = "GET /b HTTP/1.1\r\n\r\n";
    HttpExchange call = client(front, CALLER, BACK, called, 1, head);
    pipeline.onExchange(asOpen(call, head));
    pipeline.detail(atTheEnd);
    sequence -= all + 1;
    for (int i = 0; i < all; i++) {
      pipeline.onExchange(at(front, i * 1_000_003L, End.RESPONSE));
    }
    pipeline.onExchange(call);
    pipeline.finish();
    LedgerSnapshot books = ledger.snapshot();
    assertThat(books.pending()).isZero();
    assertThat(books.total().imbalance()).isZero();
    assertThat(books.total().inMemory())
        .isEqualTo(batches.stream().mapToInt(SpanBatch::size).sum());
    // The end of each is a span or left out, whatever it was told as before.
    int isKept = atTheEnd.hasCalls() ? 1 : 0;
    if (atTheEnd.oneOf() == 1) {
      assertThat(ledger.dropped(DropReason.SHED)).isEqualTo(1 - isKept);
    } else {
      assertThat(ledger.dropped(DropReason.SHED)).isGreaterThan(all / 2);
    }
  }

  private void assertBooks(long captured, long shed) {
    LedgerSnapshot books = ledger.snapshot();
    assertThat(books.pending()).isZero();
    assertThat(books.total().captured()).isEqualTo(captured);
    assertThat(books.total().inMemory()).isEqualTo(captured - shed);
    assertThat(ledger.dropped(DropReason.SHED)).isEqualTo(shed);
    assertThat(books.total().imbalance()).isZero();
  }

  private long makeContainerCgroup(String name) throws IOException {
    long cgroupId = makeCgroup(name, "");
    makeContainer(name);
    return cgroupId;
  }

  private HttpExchange at(long cgroupId, long headNs, End end) {
    return exchange(
        Role.SERVER,
        cgroupId,
        FRONT,
        OUTSIDE,
        sequence++,
        headNs,
        headNs + 1_000,
        "GET /a HTTP/1.1\r\n\r\n",
        -1,
        false,
        end);
  }

  private static HttpExchange asOpen(HttpExchange call, String head) {
    return exchange(
        call.role(),
        call.cgroupId(),
        call.local(),
        call.remote(),
        call.headSequence(),
        call.headNs(),
        call.tailNs(),
        head,
        1,
        false,
        End.OPEN);
  }

  private long makeCgroup(String name, String pids) throws IOException {
    Path cgroup = Files.createDirectory(mount.resolve(name));
    if (!pids.isEmpty()) {
      Files.writeString(cgroup.resolve("cgroup.procs"), pids);
    }
    long id = ((Number) Files.getAttribute(cgroup, "unix:ino")).longValue();
    pipeline.onEvent(new LifecycleEvent.CgroupCreated(1, id, "/" + name));
    return id;
  }

  private void makeContainer(String name) throws IOException {
    Path state = Files.createDirectory(states.resolve(name)).resolve("state.new");
    Files.writeString(
        state,
        """
        {"id": "%s", "cgroup_paths": {"": "%s"},
         "config": {"labels": ["io.headspan.function=%s-function"]}}
        """
            .formatted(name, mount.resolve(name), name));
    Files.move(state, state.resolveSibling("state.json"), StandardCopyOption.ATOMIC_MOVE);
  }

  private void until(BooleanSupplier condition) {
    long deadlineNs = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - deadlineNs).as("30 s have passed").isNegative();
      LockSupport.parkNanos(1_000_000);
      pipeline.advance(System.nanoTime());
    }
  }

  private String service(int span) {
    SpanBatch batch = batches.getFirst();
    int resource = batch.scopeResource(batch.scope(span));
    int key = batch.table().intern("service.name");
    return batch.text(
        (int) batch.resourceAttributes().value(batch.resourceAttributes().find(resource, key)));
  }

  private HttpExchange server(
      long cgroupId,
      InetSocketAddress local,
      InetSocketAddress remote,
      String head,
      boolean peerLocal) {
    long headNs = peerLocal ? 20_000 : 0;
    return exchange(
        Role.SERVER,
        cgroupId,
        local,
        remote,
        sequence++,
        headNs,
        100_000 - headNs,
        head,
        -1,
        peerLocal);
  }

  private static HttpExchange client(
      long cgroupId,
      InetSocketAddress local,
      InetSocketAddress remote,
      HttpExchange called,
      int open,
      String head) {
    return exchange(
        Role.CLIENT,
        cgroupId,
        local,
        remote,
        called.headSequence(),
        10_000,
        90_000,
        head,
        open,
        false);
  }

  private static HttpExchange exchange(
      Role role,
      long cgroupId,
      InetSocketAddress local,
      InetSocketAddress remote,
      int headSequence,
      long headNs,
      long tailNs,
      String head,
      int open,
      boolean peerLocal) {
    return exchange(
        role,
        cgroupId,
        local,
        remote,
        headSequence,
        headNs,
        tailNs,
        head,
        open,
        peerLocal,
        End.RESPONSE);
  }

  private static HttpExchange exchange(
      Role role,
      long cgroupId,
      InetSocketAddress local,
      InetSocketAddress remote,
      int headSequence,
      long headNs,
      long tailNs,
      String head,
      int open,
      boolean peerLocal,
      End end) {
    return new HttpExchange(
        role,
        1,
        cgroupId,
        local,
        remote,
        headSequence,
        headNs,
        tailNs,
        tailNs,
        head.getBytes(US_ASCII),
        true,
        200,
        0,
        end,
        open,
        peerLocal);
  }
}
