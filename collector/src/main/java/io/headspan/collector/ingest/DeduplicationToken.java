package io.headspan.collector.ingest;

import io.headspan.wire.SpanBatch;
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

  /// Without a slash, so that no two triples make the same token.
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9._:@-]{1,128}");

  private static final Pattern SEQUENCE = Pattern.compile("[0-9]{1,20}");

  private DeduplicationToken() {}

  /// The token of `batch`.
  ///
  /// @param header gives the value of a header of this batch by its lower-case name, null if there
  ///   is none. If one of the three is missing or not of its form, the content names the batch
  public static String of(HeaderLookup header, SpanBatch batch) {
    String agent = header.value(AGENT_HEADER);
    String boot = header.value(BOOT_HEADER);
    String sequence = header.value(SEQUENCE_HEADER);
    if (matches(ID, agent) && matches(ID, boot) && matches(SEQUENCE, sequence)) {
      return agent + "/" + boot + "/" + sequence;
    }
    return "content/" + ContentHash.of(batch);
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
