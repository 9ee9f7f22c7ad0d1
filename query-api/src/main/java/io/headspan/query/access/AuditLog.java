package io.headspan.query.access;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A file with a line per request, each with the hash of the one before it: whoever changes,
/// removes or inserts a line has to write all later ones anew, and the last hash, noted elsewhere,
/// tells. Thread-safe.
///
/// A line is given to the kernel before [#add] returns, so that it outlives this process, and a
/// thread syncs the file whenever there is something to sync: lines that come meanwhile are of the
/// next sync. A line that cannot be written is cut off again and waits in memory, requests are
/// refused from then on, and the thread tries again once a second.
///
/// The last line of a log that was closed says so. One that does not is opened with a line that
/// says that the end may be missing; what is left of a line is put into a file of its own.
public final class AuditLog implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(AuditLog.class);
  private static final Duration RETRY = Duration.ofSeconds(1);

  private final Object lock = new Object();
  private final Path path;
  private final Clock clock;

  /// Not a channel, which an interrupted thread would close.
  private final RandomAccessFile file;

  /// Of requests that were under way when the log broke: no more of them are let in, so they are
  /// few.
  private final Deque<AuditLine> waiting = new ArrayDeque<>();

  /// Since the last line that says so.
  private final AtomicLong refused = new AtomicLong();

  private final Thread syncing;
  private long sizeBytes;
  private long number;
  private long synced;
  private String last;
  private volatile boolean broken;
  private boolean closed;

  /// The outcome of a check.
  ///
  /// @param lines good ones from the beginning
  /// @param last hash of the last of them; of nothing if there is none
  /// @param hasExpected whether one of them has the hash that was expected
  /// @param gaps where the log was not closed before it was opened again, so that lines may be
  ///   missing
  /// @param refused requests that got no answer because the log could not be written
  /// @param problem what is wrong with the line after them; empty if nothing is
  public record Verdict(
      long lines,
      String last,
      boolean hasExpected,
      List<String> gaps,
      long refused,
      Optional<String> problem) {
    public Verdict {
      gaps = List.copyOf(gaps);
    }
  }

  private AuditLog(Path path, Clock clock, RandomAccessFile file, AuditChain before) {
    this.path = path;
    this.clock = clock;
    this.file = file;
    sizeBytes = before.sizeBytes();
    number = before.verdict().lines();
    synced = number;
    last = before.verdict().last();
    syncing = new Thread(this::syncUntilClosed, "audit-sync");
    syncing.setDaemon(true);
  }

  /// Opens a log to go on with; makes it if it is not there.
  ///
  /// @throws IOException if it cannot be written, its chain is broken already, or another process
  ///   has it
  static AuditLog open(Path path, Clock clock) throws IOException {
    boolean isNew = Files.notExists(path);
    RandomAccessFile file = opened(path);
    try {
      FileLock _ = locked(file, path);
      if (isNew) {
        syncDirectoryOf(path);
      }
      // Another stream of the same file would give up the lock when it is closed.
      AuditChain before = AuditChain.read(Channels.newInputStream(file.getChannel()), "");
      Verdict verdict = before.verdict();
      if (verdict.problem().isPresent() && before.torn().length == 0) {
        throw new IOException(
            "the audit log is not as it was written: file="
                + path
                + ", "
                + verdict.problem().get()
                + "; look at it with `headspan audit verify`, then move it away");
      }
      AuditLog log = new AuditLog(path, clock, file, before);
      log.begin(before);
      log.syncing.start();
      logger.info(
          "audit log opened: file={}, lines={}, last={}", path, verdict.lines(), verdict.last());
      return log;
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static RandomAccessFile opened(Path path) throws IOException {
    try {
      return new RandomAccessFile(path.toFile(), "rw");
    } catch (FileNotFoundException e) {
      throw new IOException(
          "the audit log cannot be written: file=" + path + ", reason=" + e.getMessage(), e);
    }
  }

  private static FileLock locked(RandomAccessFile file, Path path) throws IOException {
    @Nullable FileLock lock;
    try {
      lock = file.getChannel().tryLock();
    } catch (OverlappingFileLockException _) {
      lock = null; // held by this process
    }
    if (lock == null) {
      throw new IOException(
          "the audit log is in use: file=" + path + "; give each query API a log of its own");
    }
    return lock;
  }

  /// Puts aside what is left of a last line, and writes down that the log was not closed.
  private void begin(AuditChain before) throws IOException {
    // Its name is of this chain: another log may have had the path before.
    Path aside =
        path.resolveSibling(
            path.getFileName() + ".torn-" + (number + 1) + "-" + last.substring(0, 8));
    if (before.torn().length > 0 && Files.notExists(aside)) {
      putAside(before.torn(), aside);
    }
    file.setLength(sizeBytes);
    file.seek(sizeBytes);
    if (before.endsWithinLine()) {
      file.write('\n');
      sizeBytes++;
    }
    Map<String, Object> fields = new LinkedHashMap<>();
    // It is there too if the line about it could not be written, or was cut off itself.
    if (Files.exists(aside)) {
      byte[] torn = Files.readAllBytes(aside);
      fields.put("torn", aside.getFileName().toString());
      fields.put("bytes", torn.length);
      fields.put("sha256", sha256(torn));
    }
    if (!fields.isEmpty() || (number > 0 && !before.isClosed())) {
      logger.warn(
          "audit log was not closed, lines may be missing: file={}, lines={}, torn={}",
          path,
          number,
          fields.getOrDefault("torn", "nothing"));
      try {
        append(new AuditEvent(clock.instant(), AuditEvent.Kind.UNCLOSED, fields));
      } catch (IOException e) {
        cutBack();
        throw e;
      }
    }
    file.getFD().sync();
    synced = number;
  }

  /// The file is there whole or not at all.
  private static void putAside(byte[] torn, Path aside) throws IOException {
    Path unfinished = aside.resolveSibling(aside.getFileName() + ".unfinished");
    Files.write(
        unfinished,
        torn,
        StandardOpenOption.CREATE,
        StandardOpenOption.TRUNCATE_EXISTING,
        StandardOpenOption.WRITE,
        StandardOpenOption.SYNC);
    Files.move(unfinished, aside, StandardCopyOption.ATOMIC_MOVE);
    syncDirectoryOf(aside);
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  private static void syncDirectoryOf(Path path) throws IOException {
    try (FileChannel directory = FileChannel.open(path.toAbsolutePath().getParent())) {
      directory.force(true);
    }
  }

  /// Writes a line, or keeps it until it can be written.
  void add(AuditLine line) {
    synchronized (lock) {
      if (closed) {
        logger.error("audit log is closed, not written: file={}, line={}", path, line);
        return;
      }
      if (!broken) {
        try {
          append(line);
          lock.notifyAll();
          return;
        } catch (IOException e) {
          breakOff(e);
        }
      }
      waiting.add(line);
    }
  }

  /// Whether a request has to be refused, because its line could not be written.
  boolean refuses() {
    boolean refuses = broken;
    if (refuses) {
      refused.incrementAndGet();
    }
    return refuses;
  }

  private void append(AuditLine each) throws IOException {
    String line = each.line(number + 1, last);
    byte[] bytes = (line + "\n").getBytes(UTF_8);
    file.write(bytes);
    sizeBytes += bytes.length;
    number++;
    last = AuditLine.hashOf(line);
  }

  private void breakOff(IOException reason) {
    logger.error("audit log not written, requests are refused: file={}", path, reason);
    broken = true;
    lock.notifyAll();
    try {
      cutBack();
    } catch (IOException e) {
      logger.warn("audit log not cut back to its last whole line: file={}", path, e);
    }
  }

  /// Takes away what a failed write left.
  private void cutBack() throws IOException {
    file.setLength(sizeBytes);
    file.seek(sizeBytes);
  }

  private void syncUntilClosed() {
    try {
      while (true) {
        synchronized (lock) {
          while (!closed && !broken && synced == number) {
            lock.wait();
          }
          if (broken && !closed) {
            awaitRetry();
          }
          if (closed) {
            return;
          }
          if (broken) {
            mend();
            continue;
          }
        }
        sync();
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts this thread", e);
    }
  }

  private void awaitRetry() throws InterruptedException {
    long deadlineNs = System.nanoTime() + RETRY.toNanos();
    for (long left = RETRY.toNanos(); left > 0 && !closed; left = deadlineNs - System.nanoTime()) {
      lock.wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
    }
  }

  /// Makes durable what was written so far; more may be written meanwhile.
  private void sync() {
    long upTo;
    synchronized (lock) {
      upTo = number;
    }
    try {
      file.getFD().sync();
      synchronized (lock) {
        synced = Math.max(synced, upTo);
      }
    } catch (IOException e) {
      synchronized (lock) {
        if (!closed && !broken) {
          breakOff(e);
        }
      }
    }
  }

  /// Tries to write again.
  private boolean mend() {
    try {
      cutBack();
      for (AuditLine each = waiting.peek(); each != null; each = waiting.peek()) {
        append(each);
        waiting.remove();
      }
      long requests = refused.get();
      if (requests > 0) {
        append(
            new AuditEvent(clock.instant(), AuditEvent.Kind.REFUSED, Map.of("requests", requests)));
        refused.addAndGet(-requests);
      }
      file.getFD().sync();
      synced = number;
      broken = false;
      logger.info("audit log written again: file={}, refused={}", path, requests);
      return true;
    } catch (IOException e) {
      logger.debug("audit log still not written: file={}", path, e);
      try {
        cutBack();
      } catch (IOException again) {
        logger.debug("audit log not cut back: file={}", path, again);
      }
      return false;
    }
  }

  @Override
  public void close() {
    synchronized (lock) {
      if (closed) {
        return;
      }
      closed = true;
      lock.notifyAll();
    }
    boolean interrupted = false;
    while (syncing.isAlive()) {
      try {
        syncing.join();
      } catch (InterruptedException _) {
        interrupted = true;
      }
    }
    synchronized (lock) {
      end();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void end() {
    try (file) {
      if (broken && !mend()) {
        logger.error(
            "audit log closed without its last lines: file={}, missing={}", path, waiting.size());
        return;
      }
      try {
        append(new AuditEvent(clock.instant(), AuditEvent.Kind.CLOSED, Map.of()));
      } catch (IOException e) {
        cutBack();
        throw e;
      }
      file.getFD().sync();
    } catch (IOException e) {
      logger.error("audit log not closed: file={}", path, e);
    }
    logger.info("audit log closed: file={}, lines={}, last={}", path, number, last);
  }

  /// Checks a log from its beginning.
  ///
  /// @param expected hash of a line, noted when it was the last one; "" for none
  /// @throws IOException if it cannot be read
  public static Verdict verify(Path path, String expected) throws IOException {
    try (InputStream log = Files.newInputStream(path)) {
      return AuditChain.read(log, expected).verdict();
    }
  }
}
