package io.headspan.agent.identity;

import io.headspan.agent.identity.Executors.Executor;
import io.headspan.agent.identity.Processes.AmbiguousListenerException;
import io.headspan.agent.identity.Processes.Listener;
import io.headspan.agent.ledger.Tally;
import io.headspan.agent.libbpf.Niceness;
import io.headspan.agent.log.FailureLog;
import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Who is behind an exchange. Every cgroup is looked up once, as soon as it appears, because the
/// container's state may be gone when its last records come; a removed one is remembered for a
/// while. In a cgroup that is no container, the process that listens at the exchange's port is
/// looked up when the first exchange asks for it; if it is a registered Wasm executor, the path
/// tells the function.
///
/// All methods are for one thread, that of the caller, and none of them blocks: files are read by
/// three threads of this object, and their results come in with [#poll]. While a lookup is under
/// way, the answer is [NoIdentity#PENDING] and [#await] tells when to ask again.
public final class Identities implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Identities.class);

  /// A container's state is written some milliseconds after its cgroup is made. After the last of
  /// these, a cgroup counts as that of no container.
  private static final int[] RETRY_MILLIS = {5, 10, 20, 40, 80, 160, 320, 640, 1280};

  /// Meanwhile, a new cgroup's name is looked for among containers this often: one that lives for a
  /// moment may have come and gone between two of the others, or before the worker gets a CPU.
  private static final int GLANCE_MILLIS = 5;

  private static final int GLANCES_MAX = 200;

  /// How many retries are for a cgroup that is met when it may have been there for long.
  private static final int RETRIES_WHEN_MET = 5;

  /// How many programs that start in a cgroup cause a look-up out of turn.
  private static final int TRIES_AT_EXEC_MAX = 16;

  /// How soon a port that nothing seemed to listen at is looked up again.
  private static final long RETRY_LISTENER_NS = TimeUnit.SECONDS.toNanos(5);

  /// Where there are executors, their functions may get other versions. The first one is looked for
  /// when it is asked for.
  private static final long READ_EXECUTORS_MILLIS = 100;

  private static final long READ_NO_EXECUTORS_MILLIS = 1_000;
  private static final int ADDRESSES_MAX = 1024;
  private static final long CLOSE_SECONDS = 5;

  private final CgroupTree tree;

  /// In the order in which they are asked; what an earlier one says counts.
  private final List<ContainerSource> sources;

  private final Naming naming;
  private final Processes processes;
  private final Executors executorFiles;
  private final long patienceNs;
  private final long graceNs;
  private final int waitingMax;

  /// Asks the sources of containers, and does nothing else: what they know may be gone in a moment.
  private final ScheduledThreadPoolExecutor worker;

  /// Reads states of new containers before these are gone, as soon as there are any. It starts no
  /// threads, so that it can be given precedence.
  private final ScheduledThreadPoolExecutor glancer;

  private final CompletableFuture<Integer> glancerThreadId = new CompletableFuture<>();

  /// Looks at processes and at the whole tree, which takes longer.
  private final ScheduledThreadPoolExecutor processWorker;

  private final CgroupListener listener;
  private final FailureLog failures;

  /// What the worker found, to be taken by the owner thread.
  private final Queue<Runnable> results = new ConcurrentLinkedQueue<>();

  private final Map<Long, Cgroup> cgroups = new HashMap<>();
  private final ArrayDeque<Cgroup> removed = new ArrayDeque<>();
  private final Map<Integer, List<Port>> portsByPid = new HashMap<>();
  private final ArrayDeque<Wait> waits = new ArrayDeque<>();
  private final Pending executorsRead = new Pending();
  private Map<Integer, Executor> executors = Map.of();
  private long executorsReadNs = Long.MIN_VALUE;
  private boolean readingExecutors;

  /// Cgroups that exchanges name and no event did.
  private final List<Cgroup> toFind = new ArrayList<>();

  private boolean walking;
  private int waiting;
  private long nowNs;

  private final Tally<IdentityOutcome> outcomes = new Tally<>(IdentityOutcome.class);

  /// Something that is being looked up, and who waits for it.
  private static class Pending {
    private List<Wait> waits = new ArrayList<>();

    boolean hasWaits() {
      return !waits.isEmpty();
    }

    List<Wait> takeWaits() {
      List<Wait> taken = waits;
      waits = new ArrayList<>();
      return taken;
    }
  }

  private static final class Cgroup extends Pending {
    final long id;
    boolean settled;
    boolean sawBeginning;
    int triesAtExec;

    /// Its look-up has ended. Set by the worker.
    volatile boolean found;

    /// What a glance found, which may be gone when the worker looks. Set by the glancer.
    volatile @Nullable ContainerFacts glimpsed;

    @Nullable String path;
    @Nullable Identity container;

    /// Whether the container's processes were looked at, which is done when it is first asked for:
    /// by then they are what they are going to be.
    boolean refined;

    boolean refining;
    @Nullable ContainerFacts facts;
    long removedNs;

    /// By address and port, for another network namespace, with other addresses, may come to the
    /// same cgroup at any time. The eldest first.
    final Map<InetSocketAddress, Port> ports = new LinkedHashMap<>();

    Cgroup(long id) {
      this.id = id;
    }
  }

  /// An address and port that something in a cgroup listens at.
  private static final class Port extends Pending {
    boolean settled;
    Identity identity = Identity.UNKNOWN;
    @Nullable ProcessId process;

    /// What is asked about later times has to be looked up anew.
    long validUntilNs = Long.MAX_VALUE;
  }

  /// Is told of every cgroup what it turned out to be, and again if its processes make it something
  /// else.
  public interface CgroupListener {
    /// Takes note of a cgroup, within [#poll].
    ///
    /// @param container whether a container runs in it
    void onCgroup(long cgroupId, boolean container);
  }

  /// Asks again for an identity that was pending.
  public interface Waiter {
    /// Asks again.
    ///
    /// @param late it has taken too long: whatever is not known now is not waited for
    void askAgain(boolean late);
  }

  private static final class Wait {
    final Waiter waiter;
    final long deadlineNs;
    boolean over;

    Wait(Waiter waiter, long deadlineNs) {
      this.waiter = waiter;
      this.deadlineNs = deadlineNs;
    }
  }

  /// Starts looking up all cgroups that are there.
  ///
  /// @param nowNs CLOCK_MONOTONIC, as in all methods
  public static Identities start(IdentitySettings settings, CgroupListener listener, long nowNs) {
    Identities identities = new Identities(settings, listener);
    identities.nowNs = nowNs;
    identities.walk();
    identities.readExecutors(0);
    return identities;
  }

  private Identities(IdentitySettings settings, CgroupListener listener) {
    this.listener = listener;
    tree = new CgroupTree(settings.cgroupMount());
    PlatformSettings platforms = settings.platforms();
    naming = new Naming(platforms.rules(), platforms.trustEnvironment());
    sources = sources(platforms, tree);
    processes = new Processes(settings.proc(), tree, naming);
    executorFiles = new Executors(settings.runDirectory(), processes);
    patienceNs = settings.patience().toNanos();
    graceNs = settings.grace().toNanos();
    waitingMax = settings.waitingMax();
    worker = startWorker("headspan-identity");
    glancer = startWorker("headspan-glance");
    glancer.execute(() -> glancerThreadId.complete(Niceness.threadId()));
    processWorker = startWorker("headspan-process");
    failures = new FailureLog(LOG);
  }

  private static ScheduledThreadPoolExecutor startWorker(String name) {
    var started =
        new ScheduledThreadPoolExecutor(
            1, task -> Thread.ofPlatform().daemon().name(name).unstarted(task));
    started.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    started.setRejectedExecutionHandler(new ThreadPoolExecutor.DiscardPolicy());
    // Not by the first task: it comes from the capture thread, whose precedence would be inherited.
    started.prestartAllCoreThreads();
    return started;
  }

  /// Takes note of what happened to a process or cgroup.
  public void onEvent(LifecycleEvent event) {
    switch (event) {
      case LifecycleEvent.CgroupCreated created -> {
        Cgroup cgroup = cgroup(created.cgroupId());
        cgroup.sawBeginning = true;
        if (cgroup.path == null) {
          cgroup.path = created.path();
          findContainer(cgroup, created.path(), RETRY_MILLIS.length);
          submitGlance(cgroup, created.path(), GLANCES_MAX, GLANCE_MILLIS);
        }
      }
      case LifecycleEvent.CgroupRemoved gone -> {
        Cgroup cgroup = cgroups.get(gone.cgroupId());
        if (cgroup != null && cgroup.removedNs == 0) {
          cgroup.removedNs = nowNs;
          removed.add(cgroup);
        }
      }
      case LifecycleEvent.Exec exec -> {
        endOf(exec.pid(), exec.timeNs());
        tryAtExec(exec.cgroupId());
      }
      case LifecycleEvent.Exit exit -> endOf(exit.pid(), exit.timeNs());
      case LifecycleEvent.SocketLeft _ -> {}
    }
  }

  /// Takes in what has been found since, and runs what waited for it. To be called often.
  ///
  /// @param nowNs not before that of the call before
  public void poll(long nowNs) {
    this.nowNs = nowNs;
    for (Runnable result = results.poll(); result != null; result = results.poll()) {
      result.run();
    }
    while (!waits.isEmpty() && (waits.element().over || waits.element().deadlineNs - nowNs <= 0)) {
      Wait late = waits.remove();
      if (!late.over) {
        outcomes.add(IdentityOutcome.LATE);
        finish(late, true);
      }
    }
    while (!removed.isEmpty() && removed.element().removedNs + graceNs - nowNs <= 0) {
      Cgroup gone = removed.remove();
      cgroups.remove(gone.id);
      gone.ports.values().forEach(this::forget);
      finishAll(gone);
    }
  }

  /// Who served an exchange: an [Identity], if need be [Identity#UNKNOWN], or [NoIdentity#PENDING].
  ///
  /// @param local address and port of the serving socket
  /// @param method of the request; null if not known
  /// @param path of the request
  /// @param headNs when it came
  public Lookup ofServer(
      long cgroupId, InetSocketAddress local, @Nullable String method, String path, long headNs) {
    Cgroup cgroup = lookUp(cgroupId);
    if (!cgroup.settled) {
      return NoIdentity.PENDING;
    }
    if (cgroup.container != null) {
      return refined(cgroup, cgroup.container);
    }
    if (cgroup.path == null) {
      return Identity.UNKNOWN;
    }
    Port port = port(cgroup, cgroup.path, local, headNs);
    if (port == null) {
      return Identity.UNKNOWN;
    }
    if (!port.settled) {
      return NoIdentity.PENDING;
    }
    if (port.process != null) {
      Executor executor = executors.get(port.process.pid());
      if (executor != null
          && executor.process().equals(port.process)
          && executor.port() == local.getPort()) {
        return ofFunction(executor.function(method, path), port.identity, headNs);
      }
      if (Executor.isOfFunctions(path)) {
        return ofFunction(null, port.identity, headNs);
      }
    }
    return port.identity;
  }

  /// Who made a call: an [Identity] if the cgroup is that of a container, else [NoIdentity].
  public Lookup ofCaller(long cgroupId) {
    Cgroup cgroup = lookUp(cgroupId);
    if (!cgroup.settled) {
      return NoIdentity.PENDING;
    }
    if (cgroup.container == null) {
      return NoIdentity.NO_CONTAINER;
    }
    return naming.dependsOnProcesses() ? refined(cgroup, cgroup.container) : cgroup.container;
  }

  /// Whether the cgroup was made after this object: nothing in it can have been missed.
  public boolean sawBeginning(long cgroupId) {
    Cgroup cgroup = cgroups.get(cgroupId);
    return cgroup != null && cgroup.sawBeginning;
  }

  /// Calls `waiter` once, within a later [#poll], when the lookup that [#ofServer] or [#ofCaller]
  /// just called pending is done or has taken too long. False if too many wait already: then it is
  /// not called.
  ///
  /// @param local as for [#ofServer]; null after [#ofCaller]
  public boolean await(long cgroupId, @Nullable InetSocketAddress local, Waiter waiter) {
    if (waiting >= waitingMax) {
      outcomes.add(IdentityOutcome.OVERFLOW);
      return false;
    }
    Cgroup cgroup = cgroups.get(cgroupId);
    if (cgroup == null) {
      return false;
    }
    Pending pending = executorsRead;
    if (!cgroup.settled || cgroup.container != null) {
      pending = cgroup;
    } else if (local != null) {
      Port port = cgroup.ports.get(local);
      if (port != null && !port.settled) {
        pending = port;
      }
    }
    Wait wait = new Wait(waiter, nowNs + patienceNs);
    pending.waits.add(wait);
    waits.add(wait);
    waiting++;
    return true;
  }

  /// Lets everything that waits ask a last time.
  public void giveUp() {
    while (!waits.isEmpty()) {
      Wait wait = waits.remove();
      if (!wait.over) {
        outcomes.add(IdentityOutcome.LATE);
        finish(wait, true);
      }
    }
  }

  /// How many wait for an identity.
  public int waiting() {
    return waiting;
  }

  /// What the kernel calls the thread that reads states of containers while they are there.
  public int glancerThreadId() {
    return glancerThreadId.join();
  }

  /// Whether the state of the container in a cgroup was read, if only at a glance. For tests.
  boolean isGlimpsed(long cgroupId) {
    Cgroup cgroup = cgroups.get(cgroupId);
    return cgroup != null && cgroup.glimpsed != null;
  }

  /// How lookups ended.
  public Tally<IdentityOutcome> outcomes() {
    return outcomes;
  }

  /// Stops looking up. What waits is not run any more.
  @Override
  public void close() {
    processWorker.shutdownNow();
    glancer.shutdownNow();
    worker.shutdownNow();
    try {
      // The sources are the worker's; whatever it waits for was interrupted.
      if (!worker.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)
          || !glancer.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)
          || !processWorker.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        LOG.warn("An identity look-up does not end: seconds={}", CLOSE_SECONDS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    sources.forEach(ContainerSource::close);
  }

  private List<ContainerSource> sources(PlatformSettings platforms, CgroupTree cgroups) {
    List<ContainerSource> all = new ArrayList<>();
    all.add(new OciStates(platforms.stateRoots(), cgroups));
    platforms.criSockets().forEach(socket -> all.add(new CriSocket(Path.of(socket))));
    URI kubelet = platforms.kubelet();
    if (kubelet != null) {
      try {
        all.add(new KubeletPods(kubelet, platforms.kubeletTokenFile(), platforms.kubeletCaFile()));
      } catch (IOException e) {
        failures.warn("The kubelet is not asked", "url=" + kubelet, e);
      }
    }
    all.add(new DockerFiles(platforms.dockerRoot()));
    return List.copyOf(all);
  }

  private Cgroup cgroup(long id) {
    return cgroups.computeIfAbsent(id, Cgroup::new);
  }

  /// The cgroup, looked for in the file system if it is new.
  private Cgroup lookUp(long cgroupId) {
    Cgroup cgroup = cgroups.get(cgroupId);
    if (cgroup == null) {
      // Its event was lost, or the agent started between its making and the first walk.
      cgroup = cgroup(cgroupId);
      walkFor(cgroup);
    }
    return cgroup;
  }

  private void walk() {
    processWorker.execute(() -> {
      Map<Long, String> paths = walkTree();
      results.add(() -> paths.forEach(this::found));
    });
  }

  /// A walk that began before may miss the cgroup, so it is for the next one.
  private void walkFor(Cgroup cgroup) {
    toFind.add(cgroup);
    if (!walking) {
      walkForAll();
    }
  }

  private void walkForAll() {
    walking = true;
    List<Cgroup> wanted = List.copyOf(toFind);
    toFind.clear();
    processWorker.execute(() -> {
      Map<Long, String> paths = walkTree();
      results.add(() -> {
        paths.forEach(this::found);
        wanted.forEach(this::giveUpUnlessFound);
        walking = false;
        if (!toFind.isEmpty()) {
          walkForAll();
        }
      });
    });
  }

  private void giveUpUnlessFound(Cgroup cgroup) {
    if (cgroup.path == null) {
      outcomes.add(IdentityOutcome.NO_CGROUP);
      cgroup.removedNs = nowNs;
      removed.add(cgroup);
      settle(cgroup, null);
    }
  }

  /// On the worker for processes.
  private Map<Long, String> walkTree() {
    try {
      return tree.walk();
    } catch (IOException | RuntimeException e) {
      failed("Cgroups cannot be listed", "mount=" + tree.mount(), e);
      return Map.of();
    }
  }

  private void found(long cgroupId, String path) {
    Cgroup cgroup = cgroup(cgroupId);
    if (cgroup.path == null && !cgroup.settled) {
      cgroup.path = path;
      findContainer(cgroup, path, RETRIES_WHEN_MET);
    }
  }

  /// Runtimes write a container's state before they start its program, and delete it when that has
  /// ended: when a program starts is the time to look, for a container may live for less than the
  /// time between two retries.
  private void tryAtExec(long cgroupId) {
    Cgroup cgroup = cgroups.get(cgroupId);
    if (cgroup != null
        && !cgroup.settled
        && cgroup.path != null
        && cgroup.sawBeginning
        && cgroup.triesAtExec < TRIES_AT_EXEC_MAX) {
      cgroup.triesAtExec++;
      String path = cgroup.path;
      submitGlance(cgroup, path, 0, 0);
      submit(() -> tryContainerOnce(cgroup, path), 0);
    }
  }

  /// On the worker.
  private void tryContainerOnce(Cgroup cgroup, String path) {
    if (cgroup.found) {
      return;
    }
    CgroupPath parsed = CgroupPath.parse(path);
    Answer answer = ask(path, parsed, cgroup.glimpsed, false);
    if (answer.facts() != null && !answer.mayCome()) {
      found(cgroup, path, parsed, answer.facts());
    }
  }

  private void submitGlance(Cgroup cgroup, String path, int left, int delayMillis) {
    var _ = glancer.schedule(() -> glance(cgroup, path, left), delayMillis, TimeUnit.MILLISECONDS);
  }

  /// On the glancer.
  ///
  /// @param left how often to look again if there is nothing
  private void glance(Cgroup cgroup, String path, int left) {
    if (cgroup.found || cgroup.glimpsed != null) {
      return;
    }
    for (ContainerSource source : sources) {
      try {
        Optional<ContainerFacts> facts = source.glance(path);
        if (facts.isPresent()) {
          cgroup.glimpsed = facts.get();
          submit(() -> tryContainerOnce(cgroup, path), 0);
          return;
        }
      } catch (IOException | RuntimeException e) {
        // It may be half written. If that lasts, the last retry tells.
        LOG.debug("State of a container cannot be read yet: cgroup={}", path, e);
      }
    }
    if (left > 0) {
      submitGlance(cgroup, path, left - 1, GLANCE_MILLIS);
    }
  }

  private void findContainer(Cgroup cgroup, String path, int retries) {
    submit(() -> tryContainer(cgroup, path, 0, retries), 0);
  }

  /// On the worker.
  private void tryContainer(Cgroup cgroup, String path, int attempt, int retries) {
    if (cgroup.found) {
      return;
    }
    CgroupPath parsed = CgroupPath.parse(path);
    boolean isLast = path.equals("/") || attempt == retries;
    Answer answer = ask(path, parsed, cgroup.glimpsed, isLast);
    if (answer.mayCome() && !isLast) {
      submit(() -> tryContainer(cgroup, path, attempt + 1, retries), RETRY_MILLIS[attempt]);
      return;
    }
    found(cgroup, path, parsed, answer.facts());
  }

  /// On the worker.
  private void found(
      Cgroup cgroup, String path, CgroupPath parsed, @Nullable ContainerFacts facts) {
    cgroup.found = true;
    Identity identity = facts == null ? null : naming.container(path, parsed, facts, null);
    results.add(() -> {
      outcomes.add(identity == null ? IdentityOutcome.NO_CONTAINER : IdentityOutcome.CONTAINER);
      cgroup.facts = facts;
      settle(cgroup, identity);
    });
  }

  /// What the sources say now.
  ///
  /// @param mayCome a source that should know something does not do so yet
  private record Answer(@Nullable ContainerFacts facts, boolean mayCome) {}

  /// On the worker.
  ///
  /// @param glimpsed what the first source said before
  /// @param tells whether to log what failed
  private Answer ask(
      String path, CgroupPath parsed, @Nullable ContainerFacts glimpsed, boolean tells) {
    ContainerFacts facts = glimpsed;
    boolean mayCome = false;
    for (ContainerSource source : sources) {
      if (facts != null && facts.pod() != null && parsed.podUid() != null) {
        break; // whichever of them knows the pod, it knows all there is
      }
      try {
        Optional<ContainerFacts> found = source.find(path, parsed);
        if (found.isPresent()) {
          facts = facts == null ? found.get() : facts.orElse(found.get());
        } else {
          mayCome |= source.expects(parsed);
        }
      } catch (IOException | RuntimeException e) {
        mayCome = true;
        if (tells) {
          failed("State of a container cannot be read", "cgroup=" + path, e);
        }
      }
    }
    if (facts == null && parsed.containerId() != null) {
      facts = ContainerFacts.of(parsed.containerId());
    } else if (facts != null && (parsed.podUid() == null || facts.pod() != null)) {
      mayCome = false;
    }
    return new Answer(facts, mayCome);
  }

  /// The container, once its processes were looked at.
  private Lookup refined(Cgroup cgroup, Identity container) {
    if (cgroup.refined) {
      return container;
    }
    String path = cgroup.path;
    ContainerFacts facts = cgroup.facts;
    if (!cgroup.refining && path != null && facts != null) {
      cgroup.refining = true;
      submitSlow(() -> refine(cgroup, path, facts, container), 0);
    }
    return NoIdentity.PENDING;
  }

  /// On the worker for processes.
  private void refine(Cgroup cgroup, String path, ContainerFacts facts, Identity container) {
    Optional<ProcessFacts> process = Optional.empty();
    try {
      process = processes.mostTelling(path);
    } catch (IOException | RuntimeException e) {
      failed("Processes of a container cannot be read", "cgroup=" + path, e);
    }
    // Without one it has ended, and is what the platform said.
    Identity refined =
        process
            .map(each -> naming.container(path, CgroupPath.parse(path), facts, each))
            .orElse(container);
    results.add(() -> {
      cgroup.refined = true;
      if (!refined.equals(container)) {
        cgroup.container = refined;
        listener.onCgroup(cgroup.id, true);
      }
      finishAll(cgroup);
    });
  }

  private void settle(Cgroup cgroup, @Nullable Identity container) {
    cgroup.settled = true;
    cgroup.container = container;
    listener.onCgroup(cgroup.id, container != null);
    if (container == null || !cgroup.hasWaits()) {
      finishAll(cgroup);
    } else {
      var _ = refined(cgroup, container); // which is what they wait for now
    }
  }

  /// The port `local`, looked up if it is new or what is known is of an earlier time; null if too
  /// many are being looked up.
  private @Nullable Port port(
      Cgroup cgroup, String cgroupPath, InetSocketAddress local, long headNs) {
    Port known = cgroup.ports.get(local);
    if (known != null && headNs <= known.validUntilNs) {
      return known;
    }
    if (known != null) {
      cgroup.ports.remove(local);
      forget(known);
    } else if (cgroup.ports.size() >= ADDRESSES_MAX && !forgetEldest(cgroup)) {
      outcomes.add(IdentityOutcome.OVERFLOW);
      return null;
    }
    Port port = new Port();
    cgroup.ports.put(local, port);
    submitSlow(() -> findListener(cgroupPath, local, port), 0);
    return port;
  }

  /// Forgets the eldest port that nobody waits for; false if there is none.
  private boolean forgetEldest(Cgroup cgroup) {
    Iterator<Port> ports = cgroup.ports.values().iterator();
    while (ports.hasNext()) {
      Port eldest = ports.next();
      if (eldest.settled) {
        ports.remove();
        forget(eldest);
        return true;
      }
    }
    return false;
  }

  /// On the worker for processes.
  private void findListener(String cgroupPath, InetSocketAddress local, Port port) {
    IdentityOutcome outcome;
    Listener listener = null;
    try {
      listener =
          processes
              .findListener(cgroupPath, local)
              .map(found -> inOldHierarchies(found, cgroupPath))
              .orElse(null);
      outcome = outcome(listener);
    } catch (AmbiguousListenerException e) {
      LOG.debug("A port cannot be attributed to a process", e);
      outcome = IdentityOutcome.AMBIGUOUS_LISTENER;
    } catch (IOException | RuntimeException e) {
      failed("Listener cannot be looked up", "cgroup=" + cgroupPath + ", local=" + local, e);
      outcome = IdentityOutcome.FAILED;
    }
    if (listener != null) {
      // It registers before it can be invoked, so what is read now tells whether it is an executor.
      var _ = readExecutorsOnce();
    }
    IdentityOutcome ended = outcome;
    Listener found = listener;
    results.add(() -> {
      if (ended != IdentityOutcome.FAILED) {
        outcomes.add(ended);
      }
      settle(port, found);
    });
  }

  private static IdentityOutcome outcome(@Nullable Listener listener) {
    if (listener == null) {
      return IdentityOutcome.NO_LISTENER;
    }
    return listener.identity().runtime() == InstanceRuntime.CONTAINER
        ? IdentityOutcome.SHARED_CGROUP
        : IdentityOutcome.PROCESS;
  }

  /// A listener's container, where containers have cgroups of version 1 only, and their processes
  /// are all in a cgroup of version 2 that is no container's: the root, or the engine's own. On the
  /// worker for processes.
  private Listener inOldHierarchies(Listener listener, String cgroupPath) {
    try {
      for (String path : processes.cgroupPaths(listener.process().pid())) {
        if (path.equals("/") || path.equals(cgroupPath)) {
          continue; // known to be no container's
        }
        CgroupPath parsed = CgroupPath.parse(path);
        ContainerFacts facts = askOnWorker(path, parsed);
        if (facts != null) {
          return new Listener(
              listener.facts(), naming.container(path, parsed, facts, listener.facts()));
        }
      }
    } catch (IOException e) {
      failed("Cgroups of a process cannot be read", "pid=" + listener.process().pid(), e);
    }
    return listener;
  }

  /// What the sources, which are the other worker's, say now.
  private @Nullable ContainerFacts askOnWorker(String path, CgroupPath parsed) throws IOException {
    try {
      return worker.submit(() -> ask(path, parsed, null, true)).get().facts();
    } catch (ExecutionException e) {
      throw new IOException("the container could not be looked up: cgroup=" + path, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private void settle(Port port, @Nullable Listener listener) {
    port.settled = true;
    if (listener == null) {
      port.validUntilNs = nowNs + RETRY_LISTENER_NS;
    } else {
      port.identity = listener.identity();
      port.process = listener.process();
      portsByPid.computeIfAbsent(port.process.pid(), _ -> new ArrayList<>(1)).add(port);
    }
    finishAll(port);
  }

  /// A process ended, or became another program.
  private void endOf(int pid, long timeNs) {
    List<Port> ports = portsByPid.remove(pid);
    if (ports != null) {
      for (Port port : ports) {
        port.validUntilNs = Math.min(port.validUntilNs, timeNs);
      }
    }
  }

  private void forget(Port port) {
    finishAll(port);
    if (port.process != null) {
      List<Port> ports = portsByPid.get(port.process.pid());
      if (ports != null && ports.remove(port) && ports.isEmpty()) {
        portsByPid.remove(port.process.pid());
      }
    }
  }

  /// The function that a request invokes. One is registered before it can be invoked, and so is its
  /// executor: what is missing in what was read after the request came does not exist.
  private Lookup ofFunction(@Nullable Identity function, Identity process, long headNs) {
    if (function != null) {
      return function;
    }
    if (executorsReadNs >= headNs) {
      return process;
    }
    if (!readingExecutors) {
      readingExecutors = true;
      submitSlow(() -> readExecutorsOnce(), 0);
    }
    return NoIdentity.PENDING;
  }

  private void readExecutors(long delayMillis) {
    submitSlow(
        () -> {
          boolean any = readExecutorsOnce();
          readExecutors(any ? READ_EXECUTORS_MILLIS : READ_NO_EXECUTORS_MILLIS);
        },
        delayMillis);
  }

  /// Whether there are any. On the worker for processes.
  private boolean readExecutorsOnce() {
    long startedNs = System.nanoTime();
    Map<Integer, Executor> read;
    try {
      read = executorFiles.current();
    } catch (IOException | RuntimeException e) {
      failed("Wasm executors cannot be read", "", e);
      read = Map.of();
    }
    Map<Integer, Executor> current = read;
    results.add(() -> {
      readingExecutors = false;
      executorsReadNs = startedNs;
      executors = current;
      finishAll(executorsRead);
    });
    return !current.isEmpty();
  }

  /// Has the worker do something, unless this object is closed.
  private void submit(Runnable task, long delayMillis) {
    var _ = worker.schedule(task, delayMillis, TimeUnit.MILLISECONDS);
  }

  /// The same for the worker that looks at processes.
  private void submitSlow(Runnable task, long delayMillis) {
    var _ = processWorker.schedule(task, delayMillis, TimeUnit.MILLISECONDS);
  }

  private void finishAll(Pending pending) {
    for (Wait wait : pending.takeWaits()) {
      if (!wait.over) {
        finish(wait, false);
      }
    }
  }

  private void finish(Wait wait, boolean late) {
    wait.over = true;
    waiting--;
    wait.waiter.askAgain(late);
  }

  /// On the worker.
  private void failed(String what, String where, Exception e) {
    outcomes.add(IdentityOutcome.FAILED);
    failures.warn(what, where, e);
  }
}
