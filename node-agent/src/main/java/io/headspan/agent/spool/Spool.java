package io.headspan.agent.spool;

import io.headspan.agent.ledger.TenantCounts;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Batches in files of one directory, in the order they were appended, over restarts of the agent.
///
/// Files are segments: appended to until they are large enough, deleted as soon as none of their
/// batches is needed any more. The newest start writes into segments of its own. When the bounds
/// are reached, the oldest segment goes with all it still holds. What was appended survives the end
/// of the process at once, and that of the machine after [#sync()]. A file that cannot be read, or
/// a torn end, is cut off and counted, and the rest is used.
///
/// The directory belongs to one process at a time, by a lock on a file in it. Thread-safe; every
/// failure is a [SpoolException], after which the spool can be used as before.
public final class Spool implements AutoCloseable {
  private static final String LOCK_FILE = "lock";
  private static final Pattern SEGMENT_NAME = Pattern.compile("[0-9a-f]{16}\\.spool");

  /// What a file system may take for itself when a record is appended.
  private static final long FREE_MARGIN_BYTES = 64 << 10;

  private final SpoolSettings settings;
  private final String bootId;
  private final FileChannel lockChannel;
  private final ArrayDeque<Segment> segments = new ArrayDeque<>();

  private @Nullable Segment open;
  private long nextSegment;
  private long sizeBytes;
  private int batches;
  private long tornBytes;
  private long damagedSegments;
  private boolean unsynced;
  private long failedDeletes;
  private boolean closed;

  /// Opens a directory and reads which batches are in it.
  ///
  /// @param bootId names this start of the agent
  /// @throws SpoolException of kind LOCKED if another process uses the directory, UNUSABLE if it
  ///   cannot be read or written
  public static Spool open(SpoolSettings settings, String bootId) {
    FileChannel lockChannel;
    try {
      Files.createDirectories(settings.directory());
      lockChannel = lock(settings.directory());
    } catch (IOException e) {
      throw unusable(settings, e);
    }
    Spool spool = new Spool(settings, bootId, lockChannel);
    try {
      spool.readSegments();
      return spool;
    } catch (IOException e) {
      spool.close();
      throw unusable(settings, e);
    }
  }

  private Spool(SpoolSettings settings, String bootId, FileChannel lockChannel) {
    this.settings = settings;
    this.bootId = bootId;
    this.lockChannel = lockChannel;
  }

  private static FileChannel lock(Path directory) throws IOException {
    FileChannel channel =
        FileChannel.open(
            directory.resolve(LOCK_FILE), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = channel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null; // held by another spool of this process
    } catch (IOException e) {
      channel.close();
      throw e;
    }
    if (lock == null) {
      channel.close();
      throw new SpoolException(
          SpoolException.Kind.LOCKED,
          "the spool is in use: directory="
              + directory
              + "; stop the other agent, or give each its own directory");
    }
    return channel;
  }

  private void readSegments() throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.list(settings.directory())) {
      files =
          all.filter(path -> SEGMENT_NAME.matcher(path.getFileName().toString()).matches())
              .sorted()
              .toList();
    }
    for (Path file : files) {
      String name = file.getFileName().toString();
      nextSegment = Math.max(nextSegment, Long.parseUnsignedLong(name, 0, 16, 16) + 1);
      try {
        Segment segment = Segment.read(file);
        tornBytes += segment.tornBytes();
        if (segment.held().isEmpty()) {
          segment.delete();
        } else {
          add(segment);
        }
      } catch (SpoolException e) {
        damagedSegments++;
        tornBytes += Files.size(file);
        Files.delete(file);
      }
    }
  }

  private void add(Segment segment) {
    segments.add(segment);
    sizeBytes += segment.sizeBytes();
    batches += segment.held().size();
  }

  /// Everything in the spool, oldest first: earlier starts before later ones, each by sequence.
  public synchronized List<SpooledBatch> held() {
    // Segments are numbered over all starts, so those of one start follow each other.
    Map<String, TreeMap<Long, SpooledBatch>> byBoot = new HashMap<>();
    List<TreeMap<Long, SpooledBatch>> boots = new ArrayList<>();
    for (Segment segment : segments) {
      TreeMap<Long, SpooledBatch> ofBoot =
          byBoot.computeIfAbsent(
              segment.bootId(),
              _ -> {
                TreeMap<Long, SpooledBatch> begun = new TreeMap<>();
                boots.add(begun);
                return begun;
              });
      for (SpooledBatch batch : segment.held()) {
        ofBoot.put(batch.sequence(), batch);
      }
    }
    return boots.stream().flatMap(each -> each.values().stream()).toList();
  }

  /// Appends a batch of this start. It is durable after [#sync()].
  ///
  /// @param madeMillis when it was filled, ms since the Unix epoch
  /// @throws SpoolException of kind DISK_FULL or FAILED; nothing was appended then
  public SpooledBatch append(long sequence, long madeMillis, TenantCounts spans, byte[] payload) {
    return append(bootId, sequence, madeMillis, spans, payload);
  }

  /// Appends a batch of any start: one of an earlier start comes back if its segment had to go
  /// while it was under way. It keeps its name, because another batch of this start has its
  /// sequence too.
  ///
  /// @param boot names the start that made it
  /// @throws SpoolException as [#append]
  public synchronized SpooledBatch append(
      String boot, long sequence, long madeMillis, TenantCounts spans, byte[] payload) {
    checkOpen();
    try {
      Segment segment = writable(boot);
      long before = segment.sizeBytes();
      SpooledBatch batch = segment.append(sequence, madeMillis, spans, payload);
      sizeBytes += segment.sizeBytes() - before;
      batches++;
      unsynced = true;
      return batch;
    } catch (IOException e) {
      throw failed("cannot write to the spool", e, payload.length);
    }
  }

  private Segment writable(String boot) throws IOException {
    Segment segment = open;
    if (segment != null
        && segment.sizeBytes() < settings.segmentBytes()
        && segment.bootId().equals(boot)) {
      return segment;
    }
    if (segment != null) {
      segment.sync();
      open = null;
      deleteIfEmpty(segment);
    }
    String name = String.format(Locale.ROOT, "%016x.spool", nextSegment);
    Segment begun = Segment.create(settings.directory().resolve(name), boot);
    nextSegment++;
    open = begun;
    add(begun);
    // Else a power failure could take the file's name, and with it what was synced in it.
    try (FileChannel directory = FileChannel.open(settings.directory())) {
      directory.force(true);
    }
    return begun;
  }

  /// Makes what was appended durable.
  ///
  /// @throws SpoolException of kind FAILED or DISK_FULL if that is not certain
  public synchronized void sync() {
    Segment segment = open;
    if (!unsynced || segment == null) {
      return;
    }
    try {
      segment.sync();
      unsynced = false;
    } catch (IOException e) {
      throw failed("cannot sync the spool", e, 0);
    }
  }

  /// The payload as it was appended.
  ///
  /// @throws SpoolException of kind DAMAGED if it is not, FAILED if it cannot be read
  public byte[] read(SpooledBatch batch) {
    try {
      return batch.segment().payload(batch);
    } catch (IOException e) {
      throw failed("cannot read from the spool", e, 0);
    }
  }

  /// A batch need not be kept any more. A segment without any that has to is deleted.
  public synchronized void release(SpooledBatch batch) {
    Segment segment = batch.segment();
    if (!segment.held().contains(batch)) {
      return;
    }
    batches--;
    try {
      segment.release(batch);
      deleteIfEmpty(segment);
    } catch (IOException e) {
      throw failed("cannot release a batch of the spool", e, 0);
    }
  }

  private void deleteIfEmpty(Segment segment) throws IOException {
    if (segment.held().isEmpty() && segments.remove(segment)) {
      if (segment == open) {
        open = null;
        unsynced = false;
      }
      sizeBytes -= segment.sizeBytes();
      segment.delete();
    }
  }

  /// Deletes the oldest segments until there is room for one more batch within the bounds.
  ///
  /// @param payloadBytes of the batch to be appended
  /// @return the batches that were still needed and are gone
  public synchronized List<SpooledBatch> makeRoom(long payloadBytes) {
    List<SpooledBatch> gone = new ArrayList<>();
    while (!segments.isEmpty()
        && (sizeBytes + payloadBytes > settings.bytesMax() || batches >= settings.batchesMax())) {
      Segment oldest = segments.removeFirst();
      if (oldest == open) {
        open = null;
        unsynced = false;
      }
      gone.addAll(oldest.held());
      sizeBytes -= oldest.sizeBytes();
      batches -= oldest.held().size();
      oldest.forget();
      try {
        oldest.delete();
      } catch (IOException e) {
        // Its batches are told as gone; the file would come back at the next start.
        failedDeletes++;
      }
    }
    return gone;
  }

  /// Segments that could not be deleted.
  public synchronized long failedDeletes() {
    return failedDeletes;
  }

  public Path directory() {
    return settings.directory();
  }

  /// From this size on a new segment is begun.
  public long segmentBytes() {
    return settings.segmentBytes();
  }

  /// Bytes of all segments.
  public synchronized long sizeBytes() {
    return sizeBytes;
  }

  public synchronized int segments() {
    return segments.size();
  }

  /// Bytes that were no whole records when the spool was opened.
  public synchronized long tornBytes() {
    return tornBytes;
  }

  /// Segments whose header could not be read when the spool was opened.
  public synchronized long damagedSegments() {
    return damagedSegments;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    open = null;
    IOException failure = null;
    for (Segment segment : segments) {
      try {
        if (segment.held().isEmpty()) {
          segment.delete();
        } else {
          segment.sync();
          segment.close();
        }
      } catch (IOException e) {
        failure = e;
      }
    }
    try {
      lockChannel.close();
    } catch (IOException e) {
      failure = e;
    }
    if (failure != null) {
      throw failed("cannot close the spool", failure, 0);
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new SpoolException(
          SpoolException.Kind.FAILED, "the spool is closed: directory=" + settings.directory());
    }
  }

  private SpoolException failed(String what, IOException cause, long neededBytes) {
    boolean full;
    try {
      full =
          Files.getFileStore(settings.directory()).getUsableSpace()
              < neededBytes + FREE_MARGIN_BYTES;
    } catch (IOException e) {
      full = false;
    }
    String reason = String.valueOf(cause.getMessage());
    full |= reason.contains("No space left") || reason.contains("quota exceeded");
    return new SpoolException(
        full ? SpoolException.Kind.DISK_FULL : SpoolException.Kind.FAILED,
        what + ": directory=" + settings.directory() + ", reason=" + reason,
        cause);
  }

  private static SpoolException unusable(SpoolSettings settings, IOException cause) {
    return new SpoolException(
        SpoolException.Kind.UNUSABLE,
        "the spool cannot be used: directory="
            + settings.directory()
            + ", reason="
            + cause
            + "; make the directory writable, name another one, or switch the spool off",
        cause);
  }
}
