package io.headspan.agent.export;

import io.headspan.agent.ledger.DropReason;
import io.headspan.agent.ledger.Ledger;
import io.headspan.agent.ledger.Place;
import io.headspan.agent.ledger.TenantCounts;
import io.headspan.agent.spool.SpooledBatch;
import io.headspan.wire.SpanBatch;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The batches that are not acknowledged, in the order of sending, and where each of them is. Does
/// no input or output: what has to happen in the spool is done by the [Spooler] and told here.
/// Guarded by the exporter's lock.
final class BatchQueue {
  private final ExportSettings settings;
  private final Ledger ledger;

  /// Those not under way.
  private final TreeMap<Long, Outgoing> waiting = new TreeMap<>();

  /// Those not under way that wait for a region's store, and hold back no others.
  private final TreeMap<Long, Outgoing> aside = new TreeMap<>();

  /// Those that are only in memory.
  private final TreeMap<Long, Outgoing> resident = new TreeMap<>();

  private final Map<SpooledBatch, Outgoing> spooled = new HashMap<>();
  private final ArrayDeque<Release> releases = new ArrayDeque<>();
  private int releasing;
  private long residentBytes;
  private long heldSpans;
  private long nextPosition;
  private long nextSequence = 1;
  private DropReason overflow;

  /// What is not needed in the spool any more.
  ///
  /// @param settled what the ledger is to be told then; null if it has been
  record Release(SpooledBatch batch, @Nullable Settled settled) {}

  /// How a spooled batch ended.
  ///
  /// @param dropped null if it was acknowledged
  record Settled(TenantCounts spans, @Nullable DropReason dropped) {}

  /// @param overflow why batches are dropped for which there is no memory
  BatchQueue(ExportSettings settings, Ledger ledger, DropReason overflow) {
    this.settings = settings;
    this.ledger = ledger;
    this.overflow = overflow;
  }

  /// Takes a batch of an earlier start. To be called before the first [#add].
  void recover(SpooledBatch batch) {
    Outgoing outgoing = Outgoing.recovered(nextPosition++, batch);
    waiting.put(outgoing.position, outgoing);
    spooled.put(batch, outgoing);
    heldSpans += batch.spans().total();
    ledger.recovered(batch.spans());
  }

  /// Takes a new batch. If there is no memory for it, the oldest ones go that are not under way.
  void add(SpanBatch batch, TenantCounts spans, long madeMillis) {
    Outgoing outgoing =
        Outgoing.made(nextPosition++, settings.bootId(), nextSequence++, batch, spans, madeMillis);
    waiting.put(outgoing.position, outgoing);
    reside(outgoing);
    heldSpans += spans.total();
    if (isOver(1)) {
      List<Outgoing> droppable =
          resident.values().stream().filter(each -> !each.underWay && !each.spooling).toList();
      for (Outgoing each : droppable) {
        if (!isOver(1)) {
          break;
        }
        drop(each, overflow);
      }
    }
  }

  /// Why batches are dropped from now on for which there is no memory.
  void overflowBecauseOf(DropReason reason) {
    overflow = reason;
  }

  /// The next one to send, null if there is none.
  @Nullable Outgoing next() {
    Map.Entry<Long, Outgoing> first = waiting.firstEntry();
    return first == null ? null : first.getValue();
  }

  /// The next one, which counts as under way from now on.
  Outgoing take() {
    Outgoing taken = Objects.requireNonNull(waiting.pollFirstEntry()).getValue();
    taken.underWay = true;
    return taken;
  }

  /// Puts batches back to where they were.
  void requeue(List<Outgoing> batches) {
    for (Outgoing each : batches) {
      each.underWay = false;
      if (!each.done) {
        if (each.spooled != null) {
          each.batch = null;
        }
        waiting.put(each.position, each);
      }
    }
  }

  /// Takes a batch out of the order of sending until [#probe] or [#resume].
  void setAside(Outgoing outgoing) {
    outgoing.underWay = false;
    if (!outgoing.done) {
      if (outgoing.spooled != null) {
        outgoing.batch = null;
      }
      aside.put(outgoing.position, outgoing);
    }
  }

  boolean hasAside() {
    return !aside.isEmpty();
  }

  /// Puts the oldest of those set aside back, to see whether it can be stored now.
  void probe() {
    Map.Entry<Long, Outgoing> oldest = aside.pollFirstEntry();
    if (oldest != null) {
      oldest.getValue().probing = true;
      waiting.put(oldest.getKey(), oldest.getValue());
    }
  }

  /// Puts all of those set aside back.
  void resume() {
    waiting.putAll(aside);
    aside.clear();
  }

  void acknowledged(Outgoing outgoing) {
    settle(outgoing, null);
  }

  void drop(Outgoing outgoing, DropReason reason) {
    settle(outgoing, reason);
  }

  private void settle(Outgoing outgoing, @Nullable DropReason dropped) {
    if (outgoing.done) {
      return;
    }
    outgoing.done = true;
    outgoing.batch = null;
    waiting.remove(outgoing.position, outgoing);
    aside.remove(outgoing.position, outgoing);
    heldSpans -= outgoing.spans.total();
    SpooledBatch onDisk = outgoing.spooled;
    if (onDisk == null) {
      leaveMemory(outgoing);
      tell(new Settled(outgoing.spans, dropped), Place.MEMORY);
    } else {
      spooled.remove(onDisk);
      // The ledger is told afterwards: if the agent is killed in between, both say "in the spool".
      release(new Release(onDisk, new Settled(outgoing.spans, dropped)));
    }
  }

  private void tell(Settled settled, Place place) {
    DropReason dropped = settled.dropped();
    if (dropped == null) {
      ledger.acknowledged(settled.spans(), place);
    } else {
      ledger.dropped(settled.spans(), place, dropped);
    }
  }

  private void release(Release release) {
    releases.add(release);
    releasing++;
  }

  /// What the spool can let go; [#released] is to follow for each.
  List<Release> takeReleases() {
    List<Release> taken = List.copyOf(releases);
    releases.clear();
    return taken;
  }

  boolean hasReleases() {
    return !releases.isEmpty();
  }

  /// The spool has let go.
  void released(Release release) {
    releasing--;
    if (release.settled() != null) {
      tell(release.settled(), Place.SPOOL);
    }
  }

  /// Whether memory is filled so far that the oldest batches should go to the spool.
  boolean isHalfFull() {
    return isOver(2);
  }

  private boolean isOver(int divisor) {
    return residentBytes > settings.queueBytesMax() / divisor
        || resident.size() > settings.queueBatchesMax() / divisor;
  }

  /// Picks the oldest batches that are only in memory, for the spool; [#spooled] or [#notSpooled]
  /// is to follow for each.
  ///
  /// @param all whether to pick also those under way; else no more than make memory half full
  /// @param bytesMax when so much memory is picked, it is enough
  List<Outgoing> startSpooling(boolean all, long bytesMax) {
    List<Outgoing> picked = new ArrayList<>();
    long pickedBytes = 0;
    long bytes = residentBytes;
    int batches = resident.size();
    for (Outgoing each : resident.values()) {
      boolean enough =
          bytes <= settings.queueBytesMax() / 2 && batches <= settings.queueBatchesMax() / 2;
      if ((!all && enough) || pickedBytes >= bytesMax) {
        break;
      }
      if (each.spooling || (each.underWay && !all)) {
        continue;
      }
      each.spooling = true;
      picked.add(each);
      pickedBytes += each.bytes;
      bytes -= each.bytes;
      batches--;
    }
    return picked;
  }

  /// A batch is in the spool.
  void spooled(Outgoing outgoing, SpooledBatch onDisk) {
    outgoing.spooling = false;
    if (outgoing.done) {
      release(new Release(onDisk, null));
      return;
    }
    leaveMemory(outgoing);
    outgoing.spooled = onDisk;
    spooled.put(onDisk, outgoing);
    if (!outgoing.underWay) {
      outgoing.batch = null;
    }
    ledger.moved(outgoing.spans, Place.MEMORY, Place.SPOOL);
  }

  /// A batch could not be put into the spool.
  void notSpooled(Outgoing outgoing) {
    outgoing.spooling = false;
  }

  /// What was written to the spool does not count.
  void unwritten(SpooledBatch onDisk) {
    release(new Release(onDisk, null));
  }

  /// Batches had to leave the spool to make room.
  void lostFromSpool(List<SpooledBatch> gone) {
    for (SpooledBatch each : gone) {
      Outgoing outgoing = spooled.remove(each);
      if (outgoing == null) {
        continue; // settled already
      }
      outgoing.spooled = null;
      if (outgoing.batch != null) {
        // Under way: it may still be acknowledged.
        reside(outgoing);
        ledger.moved(outgoing.spans, Place.SPOOL, Place.MEMORY);
      } else {
        outgoing.done = true;
        waiting.remove(outgoing.position, outgoing);
        aside.remove(outgoing.position, outgoing);
        heldSpans -= outgoing.spans.total();
        ledger.dropped(outgoing.spans, Place.SPOOL, DropReason.SPOOL_FULL);
      }
    }
  }

  /// Drops what is only in memory.
  void dropResident(DropReason reason) {
    List.copyOf(resident.values()).forEach(each -> drop(each, reason));
  }

  private void reside(Outgoing outgoing) {
    resident.put(outgoing.position, outgoing);
    residentBytes += outgoing.bytes;
  }

  private void leaveMemory(Outgoing outgoing) {
    if (resident.remove(outgoing.position, outgoing)) {
      residentBytes -= outgoing.bytes;
    }
  }

  boolean isEmpty() {
    return resident.isEmpty() && spooled.isEmpty() && releasing == 0;
  }

  boolean hasResident() {
    return !resident.isEmpty();
  }

  int residentBatches() {
    return resident.size();
  }

  long residentBytes() {
    return residentBytes;
  }

  int spooledBatches() {
    return spooled.size() + releasing;
  }

  long heldSpans() {
    return heldSpans;
  }
}
