package io.headspan.collector.ingest;

import com.google.protobuf.ByteString;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.signal.NodeReport;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// The name under which a batch is stored once, however often it is sent.
///
/// A Headspan agent names its batches by three headers: `headspan-agent-id`, `headspan-boot-id` and
/// `headspan-sequence` make `agent/boot/sequence`. Of any other sender, a batch is named by
/// [ContentHash]: what is sent again holds the same spans.
public final class DeduplicationToken {
  public static final String AGENT_HEADER = "headspan-agent-id";
  public static final String BOOT_HEADER = "headspan-boot-id";
  public static final String SEQUENCE_HEADER = "headspan-sequence";

  /// How long ago a batch was made that may have been sent before, in ms.
  public static final String REPLAY_AGE_HEADER = "headspan-replay-age-ms";

  /// How long ago a batch was made, in ms.
  public static final String AGE_HEADER = "headspan-age-ms";

  /// The store knows the tokens of its last 10,000 blocks, which this long is fewer, at up to 166
  /// batches a second.
  private static final long SURELY_KNOWN_MILLIS = 60_000;

  /// Without a slash, so that no two triples make the same token.
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9._:@-]{1,128}");

  private static final Pattern SEQUENCE = Pattern.compile("[0-9]{1,20}");

  private static final Pattern AGE = Pattern.compile("[0-9]{1,18}");

  private DeduplicationToken() {}

  /// The token of `batch`.
  ///
  /// @param header gives the value of a header of this batch by its lower-case name, null if there
  ///   is none. If one of the three is missing or not of its form, the content names the batch
  public static String of(HeaderLookup header, SpanBatch batch) {
    return of(header).orElseGet(() -> "content/" + ContentHash.of(batch));
  }

  /// The token of a batch of another signal.
  ///
  /// @param content what its message holds, the same bytes whenever it is sent
  public static String of(HeaderLookup header, RecordSignal signal, ByteString content) {
    return signal.label() + "/" + of(header).orElseGet(() -> "content/" + sha256(content));
  }

  private static Optional<String> of(HeaderLookup header) {
    String agent = header.value(AGENT_HEADER);
    String boot = header.value(BOOT_HEADER);
    String sequence = header.value(SEQUENCE_HEADER);
    return matches(ID, agent) && matches(ID, boot) && matches(SEQUENCE, sequence)
        ? Optional.of(agent + "/" + boot + "/" + sequence)
        : Optional.empty();
  }

  private static String sha256(ByteString content) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(content.asReadOnlyByteBuffer());
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  /// How long ago a batch was made that may have been sent before, if it is so long that the store
  /// may have forgotten its token: then it has to be asked.
  public static Optional<Duration> oldReplay(HeaderLookup header) {
    String age = header.value(REPLAY_AGE_HEADER);
    return age != null && AGE.matcher(age).matches() && Long.parseLong(age) >= SURELY_KNOWN_MILLIS
        ? Optional.of(Duration.ofMillis(Long.parseLong(age)))
        : Optional.empty();
  }

  /// How long ago a batch was made, as its sender says; zero if it does not.
  public static Duration age(HeaderLookup header) {
    String age = header.value(AGE_HEADER);
    return age != null && AGE.matcher(age).matches()
        ? Duration.ofMillis(Long.parseLong(age))
        : Duration.ZERO;
  }

  /// The token of a report about a node; empty if its ids are not of their form.
  public static Optional<String> of(NodeReport report) {
    return matches(ID, report.agentId()) && matches(ID, report.bootId())
        ? Optional.of(
            "signal/"
                + report.agentId()
                + "/"
                + report.bootId()
                + "/"
                + Long.toUnsignedString(report.sequence()))
        : Optional.empty();
  }

  private static boolean matches(Pattern pattern, @Nullable String value) {
    return value != null && pattern.matcher(value).matches();
  }

  /// Headers of one batch.
  @FunctionalInterface
  public interface HeaderLookup {
    /// The value of the header `name`, null if it was not sent.
    @Nullable String value(String name);
  }
}
