package io.headspan.agent;

import com.google.protobuf.InvalidProtocolBufferException;
import io.headspan.agent.ledger.LedgerFile;
import io.headspan.agent.spool.Spool;
import io.headspan.agent.spool.SpooledBatch;
import io.headspan.wire.otap.OtapException;
import io.headspan.wire.signal.NodeReport;
import io.headspan.wire.signal.v1.SignalReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The last books of an earlier start of this agent, which it did not get to tell itself if it was
/// killed. Kept in a file beside the spool until the store has them.
///
/// @param report is of that start, with a number that no report of its own has
record ClosedBooks(Path file, NodeReport report) {
  private static final Logger LOG = LoggerFactory.getLogger(ClosedBooks.class);

  private static final String SUFFIX = ".books";

  /// The number of a start's last report.
  private static final long LAST_SEQUENCE = Long.MAX_VALUE;

  private static final int FILES_MAX = 100;
  private static final long LIMIT_BYTES = 16 << 20;

  /// Closes the books of the start before this one, and gives all that are not told yet.
  static List<ClosedBooks> of(Spool spool, HostIdentity host) {
    try {
      closeLast(spool, host);
      return untold(spool.directory());
    } catch (IOException e) {
      LOG.warn("The books of earlier starts cannot be told: directory={}", spool.directory(), e);
      return List.of();
    }
  }

  private static void closeLast(Spool spool, HostIdentity host) throws IOException {
    Optional<LedgerFile.Previous> previous = LedgerFile.previous(spool.directory());
    if (previous.isEmpty()) {
      return;
    }
    Map<String, Long> spooled = new HashMap<>();
    for (SpooledBatch batch : spool.held()) {
      batch
          .spans()
          .forEach((tenant, count) -> {
            var _ = spooled.merge(tenant, (long) count, Long::sum);
          });
    }
    Instant now = Instant.now();
    String bootId = previous.get().bootId();
    NodeReport report =
        new NodeReport(
            host.agentId(),
            bootId,
            LAST_SEQUENCE,
            host.hostName(),
            Math.addExact(now.getEpochSecond() * 1_000_000_000L, now.getNano()),
            0,
            LedgerReports.signal(previous.get().closed(spooled)));
    Files.write(spool.directory().resolve(bootId + SUFFIX), report.encode().toByteArray());
  }

  private static List<ClosedBooks> untold(Path directory) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.list(directory)) {
      files = all.filter(path -> path.toString().endsWith(SUFFIX)).sorted().toList();
    }
    List<ClosedBooks> untold = new ArrayList<>();
    for (Path file : files) {
      if (untold.size() == FILES_MAX) {
        break;
      }
      try {
        SignalReport message = SignalReport.parseFrom(Files.readAllBytes(file));
        untold.add(new ClosedBooks(file, NodeReport.decode(message, LIMIT_BYTES)));
      } catch (InvalidProtocolBufferException | OtapException e) {
        LOG.warn("The books of an earlier start cannot be read: file={}", file, e);
        Files.delete(file);
      }
    }
    return untold;
  }

  /// The store has them.
  void delete() {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      // They will be told once more, and stored once all the same.
      LOG.warn("Books that are told cannot be deleted: file={}", file, e);
    }
  }
}
