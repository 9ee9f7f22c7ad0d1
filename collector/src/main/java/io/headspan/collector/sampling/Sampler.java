package io.headspan.collector.sampling;

import io.headspan.storage.Decision;
import io.headspan.storage.SpanStore;
import io.headspan.storage.SpanTiers;
import io.headspan.storage.StoreException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Decides each trace when it has gone quiet, has the kept ones copied to the kept tier, and closes
/// the windows of the recent tier of which all is decided. What is pending, decided and copied is
/// all in the store: whoever begins finds it there.
///
/// Of all samplers on one store the one with the lease works. A batch of decisions has a number
/// that follows from when the last spans of its traces arrived, so two that work at once record the
/// same batch under one token. Batches are copied some seconds later, several together: what a copy
/// costs is to read the recent tier, which is about the same for one batch and for all of them.
public final class Sampler implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(Sampler.class);

  private static final Duration BEAT = Duration.ofSeconds(1);
  private static final Duration LEASE = Duration.ofSeconds(15);
  private static final Duration LEASE_RENEWAL = Duration.ofSeconds(5);
  private static final Duration CLOSE_BEAT = Duration.ofSeconds(10);
  private static final Duration LINK_BEAT = Duration.ofSeconds(5);

  /// How far apart two linked traces may be decided, after the decision wait.
  private static final Duration LINK_MEMORY = Duration.ofMinutes(5);

  private static final Duration STOP_LIMIT = Duration.ofSeconds(10);

  /// For how long a trace counts as decided after its window was closed, when more of it comes.
  private static final Duration MEMORY = Duration.ofHours(1);

  /// Decided at once; more of them wait for the next statement.
  private static final int TRACES_MAX = 50_000;

  private static final long WINDOW_SECONDS = 300;
  private static final long MS_PER_SECOND = 1000;
  private static final long SLOT_SECONDS = 10;
  private static final long BATCHES_PER_SECOND = 1000;

  /// From so many times the spans of a copy on, decisions wait for copies.
  private static final int UNCOPIED_MAX = 3;

  /// After so many times the recent window, and some minutes, more a window is given up, whatever
  /// is undecided in it.
  private static final int OVERRUN = 3;

  private static final Duration GRACE = Duration.ofMinutes(5);

  private final SpanTiers tiers;
  private final SamplerConfig config;
  private final SamplingPolicies policies;
  private final QuietTraces traces;
  private final QuietTraces.Quiet quiet;
  private final BooleanSupplier storeIsReady;
  private final AtomicLong second = new AtomicLong();
  private final String holder = UUID.randomUUID().toString();
  private final Thread thread;
  private final Executor copier;
  private volatile boolean closed;

  private long tickMillis;
  private long leasedAtMillis;
  private boolean isLeased;
  private boolean isRecovered;
  private long lastTickMillis;
  private long linkedAtMillis;
  private long closedAtMillis;

  /// Batches that are recorded and not copied, with their kept spans.
  private final TreeMap<Long, Long> uncopied = new TreeMap<>();

  private long uncopiedSinceMillis;

  /// The copy under way; its batches are not among those above.
  private @Nullable CompletableFuture<Void> copying;

  private long lookedNs = System.nanoTime() - CLOSE_BEAT.toNanos();
  private boolean isAnyRecent;

  /// Starts sampling.
  ///
  /// @param storeIsReady whether the store can be asked
  /// @throws SamplingException if the policies are not understood
  public static Sampler start(SpanStore store, SamplerConfig config, BooleanSupplier storeIsReady) {
    Sampler sampler =
        new Sampler(
            store,
            config,
            storeIsReady,
            copy -> Thread.ofPlatform().name("collector-copier").daemon().start(copy));
    sampler.thread.start();
    return sampler;
  }

  /// @param copier copies what is kept, for which nothing waits but a window that is to be closed
  Sampler(SpanStore store, SamplerConfig config, BooleanSupplier storeIsReady, Executor copier) {
    this.copier = copier;
    this.config = config;
    this.storeIsReady = storeIsReady;
    tiers = store.tiers();
    policies = SamplingPolicies.parse(config.policiesOrAll(), second::get, store.share());
    traces = new QuietTraces(store, config.recentWindow().plus(MEMORY), policies);
    quiet = new QuietTraces.Quiet(config.decisionWait(), config.decisionWaitAfterRoot());
    thread = Thread.ofPlatform().name("collector-sampler").daemon().unstarted(this::run);
  }

  private void run() {
    while (!closed) {
      long started = System.nanoTime();
      if (storeIsReady.getAsBoolean()) {
        try {
          if (isAnythingToDo()) {
            tick();
          }
        } catch (StoreException e) {
          // What was begun is found and finished when the store answers again.
          isRecovered = false;
          if (!closed) {
            logger.warn("sampling was interrupted, will go on: reason={}", e.getMessage());
          }
        } catch (RuntimeException e) {
          // A fault of ours: without a sampler the recent tier would only grow, so it tries again.
          isRecovered = false;
          logger.error("sampling failed, will be tried again", e);
        }
      }
      LockSupport.parkNanos(BEAT.toNanos() - (System.nanoTime() - started));
    }
  }

  /// Without policies there is, only while something is recent from when there were some.
  private boolean isAnythingToDo() {
    if (config.policies().isEmpty() && System.nanoTime() - lookedNs >= CLOSE_BEAT.toNanos()) {
      lookedNs = System.nanoTime();
      isAnyRecent = !tiers.windowsSeconds().isEmpty();
    }
    return config.policies().isPresent() || isAnyRecent;
  }

  /// Does what is due.
  void tick() {
    long now = tiers.nowMillis();
    tickMillis = now;
    if (now - leasedAtMillis >= LEASE_RENEWAL.toMillis()) {
      lease(now);
    }
    if (!isLeased) {
      isRecovered = false;
      return;
    }
    if (!isRecovered) {
      recover(now);
    }
    long since =
        Math.min(now, lastTickMillis)
            - config.decisionWait().toMillis()
            - QuietTraces.INSERT_LIMIT.toMillis();
    List<StoredTrace> due;
    int decided;
    do {
      // First: if it is out of date then only in that a batch is recorded already.
      Map<Long, Long> next = tiers.nextBatches(slot(Math.max(0, since)));
      due = traces.find(now, Math.max(0, since), quiet, TRACES_MAX);
      decided = decide(due, next);
    } while (decided > 0 && (decided < due.size() || due.size() == TRACES_MAX) && !closed);
    lastTickMillis = now;
    if (config.linkedTraces() && now - linkedAtMillis >= LINK_BEAT.toMillis()) {
      keepLinked(now);
      linkedAtMillis = now;
    }
    if (!uncopied.isEmpty() && now - uncopiedSinceMillis >= config.copyWait().toMillis()) {
      beginCopy();
    }
    if (now - closedAtMillis >= CLOSE_BEAT.toMillis()) {
      closeWindows(now);
      closedAtMillis = now;
    }
  }

  /// Copies what was decided and not copied, and begins with the oldest of what is recent.
  private void recover(long now) {
    long oldest = now - config.recentWindow().plus(MEMORY).toMillis();
    awaitCopy();
    // One by one, as those of former versions were copied: that makes the same tokens.
    tiers.uncopied(oldest).forEach(batch -> tiers.copy(List.of(batch)));
    uncopied.clear();
    long first = tiers.firstArrivalMillis();
    lastTickMillis = first == 0 ? now : first;
    isRecovered = true;
  }

  /// @param due in the order of their last arrivals
  /// @return how many of them were decided; 0 if another sampler has the lease
  private int decide(List<StoredTrace> due, Map<Long, Long> next) {
    if (due.isEmpty()) {
      return 0;
    }
    Map<Long, List<Decision>> bySlot = new TreeMap<>();
    List<StoredTrace> first = firstOfSlots(due);
    List<StoredTrace> inOrder =
        traces.examine(first).stream()
            .sorted(
                Comparator.comparingLong(this::dueMillis)
                    .thenComparing(StoredTrace::traceIdHigh, Long::compareUnsigned)
                    .thenComparing(StoredTrace::traceIdLow, Long::compareUnsigned))
            .toList();
    for (StoredTrace trace : inOrder) {
      second.set(dueMillis(trace) / MS_PER_SECOND);
      bySlot.computeIfAbsent(slot(trace.lastMillis()), _ -> new ArrayList<>()).add(decide(trace));
    }
    return record(bySlot, next) ? first.size() : 0;
  }

  /// As many of each slot as may be kept and copied together. The others stay due: to make a second
  /// batch of them at once, under a number that another sampler may give to other traces, would
  /// decide some twice.
  private List<StoredTrace> firstOfSlots(List<StoredTrace> due) {
    Map<Long, Long> spans = new HashMap<>();
    return due.stream()
        .filter(trace -> {
          long before = spans.getOrDefault(slot(trace.lastMillis()), 0L);
          spans.put(slot(trace.lastMillis()), before + trace.rows());
          return before == 0 || before + trace.rows() <= config.copiedSpans();
        })
        .toList();
  }

  /// The second before which the slot of a time ends. Batches are by the slot in which the last
  /// span of a trace arrived: not by each second, or the few traces that have to be waited for
  /// longest would make a batch each. By its end, so that a later decision has a larger number,
  /// those made by hand included.
  private static long slot(long millis) {
    return (millis / MS_PER_SECOND / SLOT_SECONDS + 1) * SLOT_SECONDS;
  }

  /// Records decisions by the slot of the last arrival. What is kept is to be copied.
  ///
  /// @return false if another sampler has the lease
  private boolean record(Map<Long, List<Decision>> bySlot, Map<Long, Long> next) {
    for (Map.Entry<Long, List<Decision>> each : bySlot.entrySet()) {
      long batch = next.getOrDefault(each.getKey(), each.getKey() * BATCHES_PER_SECOND);
      long now = tiers.nowMillis();
      // Whoever was stopped for so long knows of late spans less than the one that took over.
      if (now - leasedAtMillis >= LEASE.toMillis()) {
        lease(now);
      }
      if (!isLeased) {
        return false;
      }
      tiers.record(batch, now, each.getValue());
      long kept = each.getValue().stream().filter(Decision::kept).mapToLong(Decision::rows).sum();
      if (uncopied.isEmpty()) {
        uncopiedSinceMillis = tickMillis;
      }
      uncopied.merge(batch, kept, Long::sum);
      if (uncopiedSpans() >= config.copiedSpans()) {
        beginCopy();
      }
      if (uncopiedSpans() >= UNCOPIED_MAX * config.copiedSpans()) {
        copy();
      }
    }
    return true;
  }

  private long uncopiedSpans() {
    return uncopied.values().stream().mapToLong(Long::longValue).sum();
  }

  /// Has the first of what is recorded and not copied copied, unless a copy is under way.
  private void beginCopy() {
    CompletableFuture<Void> before = copying;
    if (before != null) {
      if (!before.isDone()) {
        return;
      }
      awaitCopy();
    }
    List<Long> batches = firstUncopied();
    copying = CompletableFuture.runAsync(() -> tiers.copy(batches), copier);
  }

  /// Returns when all that is recorded is copied.
  private void copy() {
    awaitCopy();
    while (!uncopied.isEmpty()) {
      beginCopy();
      awaitCopy();
    }
  }

  /// Takes out as many batches as may be copied together, one at least.
  private List<Long> firstUncopied() {
    List<Long> batches = new ArrayList<>();
    long spans = 0;
    Iterator<Map.Entry<Long, Long>> left = uncopied.entrySet().iterator();
    while (left.hasNext()) {
      Map.Entry<Long, Long> next = left.next();
      if (!batches.isEmpty() && spans + next.getValue() > config.copiedSpans()) {
        break;
      }
      batches.add(next.getKey());
      spans += next.getValue();
      left.remove();
    }
    return batches;
  }

  /// @throws StoreException that ended the copy under way
  private void awaitCopy() {
    CompletableFuture<Void> current = copying;
    copying = null;
    if (current == null) {
      return;
    }
    try {
      var _ = current.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof StoreException failure) {
        throw failure;
      }
      throw new IllegalStateException("kept traces were not copied", e.getCause());
    }
  }

  /// Keeps what is linked to kept traces, if the links and the decisions about both came lately.
  void keepLinked(long now) {
    long since = now - config.decisionWait().plus(LINK_MEMORY).toMillis();
    Map<Long, Long> next = tiers.nextBatches(slot(Math.max(0, since)));
    var _ =
        record(
            tiers.linked(since).stream()
                .collect(
                    Collectors.groupingBy(
                        each -> slot(each.lastMillis()), TreeMap::new, Collectors.toList())),
            next);
  }

  private void lease(long now) {
    boolean wasLeased = isLeased;
    isLeased = tiers.lease(holder, now, LEASE);
    leasedAtMillis = now;
    if (isLeased != wasLeased) {
      logger.info("{}: holder={}", isLeased ? "samples from now on" : "samples no more", holder);
    }
  }

  private long dueMillis(StoredTrace trace) {
    return trace.lastMillis()
        + (trace.complete() ? config.decisionWaitAfterRoot() : config.decisionWait()).toMillis();
  }

  private Decision decide(StoredTrace trace) {
    if (trace.keptBefore()) {
      return trace.decide(true, List.of(), trace.threshold());
    }
    SamplingPolicies.Verdict verdict = policies.decide(trace);
    return trace.decide(
        verdict.kept(), verdict.policies(), verdict.kept() ? verdict.threshold() : 0);
  }

  /// Goes through the windows from the oldest on: closes those that have been recent for long
  /// enough, and drops those that have been closed for a while.
  private void closeWindows(long now) {
    long boundary = tiers.boundarySeconds();
    for (long window : tiers.windowsSeconds()) {
      if (window <= boundary) {
        List<SpanTiers.Part> parts = tiers.settledParts(window);
        if (!parts.isEmpty() && isDecided(window, now)) {
          tiers.drop(parts);
        }
        continue;
      }
      long recentUntil =
          Math.max((window + WINDOW_SECONDS) * MS_PER_SECOND, tiers.firstArrivalMillis(window))
              + config.recentWindow().toMillis();
      if (recentUntil > now) {
        return;
      }
      if (isDecided(window, now)) {
        tiers.close(window, false);
      } else if (recentUntil + OVERRUN * config.recentWindow().plus(GRACE).toMillis() < now) {
        logger.warn(
            "window was given up with traces that are not decided: window={}",
            Instant.ofEpochSecond(window));
        copy();
        tiers.close(window, true);
      } else {
        return;
      }
    }
  }

  /// Whether all traces of a window are decided as they are and the kept ones copied, after
  /// deciding those that can be.
  private boolean isDecided(long window, long now) {
    while (true) {
      Map<Long, Long> next = tiers.nextBatches(slot(tiers.firstArrivalMillis()));
      List<StoredTrace> left = traces.ofWindow(window, TRACES_MAX);
      if (left.isEmpty()) {
        copy();
        return true;
      }
      List<StoredTrace> due = left.stream().filter(trace -> dueMillis(trace) <= now).toList();
      var _ = decide(due, next);
      if (due.size() < left.size() || closed || !isLeased) {
        return false;
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    LockSupport.unpark(thread);
    try {
      if (!thread.join(STOP_LIMIT)) {
        logger.warn("the sampler did not end in time: timeout={}", STOP_LIMIT);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
