package io.headspan.collector.receive;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import io.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// A stream recorded from the Go implementation of OTel-Arrow, with what each batch holds as OTLP;
/// from the test resources of module wire, which say more.
public record RecordedStream(
    List<BatchArrowRecords> batches, List<ExportTraceServiceRequest> expected) {
  public static final List<String> TRACES =
      List.of(
          "01-one-bare-span",
          "02-everything-zstd",
          "03-everything-uncompressed",
          "04-columns-appear-later",
          "05-dictionaries-grow-past-u8",
          "06-dictionary-limit-u8-reset-or-plain",
          "07-no-dictionaries",
          "08-replacement-dictionaries");

  /// One of [#TRACES].
  public static RecordedStream traces(String name) throws IOException {
    return new RecordedStream(
        batches(name), messages(name + ".otlp", ExportTraceServiceRequest.parser()));
  }

  /// The batches of a stream of any signal.
  public static List<BatchArrowRecords> batches(String name) throws IOException {
    return messages(name + ".otap", BatchArrowRecords.parser());
  }

  /// What the batches of [#batches] hold.
  public static List<ExportLogsServiceRequest> logs(String name) throws IOException {
    return messages(name + ".otlp", ExportLogsServiceRequest.parser());
  }

  /// What the batches of [#batches] hold.
  public static List<ExportMetricsServiceRequest> metrics(String name) throws IOException {
    return messages(name + ".otlp", ExportMetricsServiceRequest.parser());
  }

  private static <M> List<M> messages(String file, Parser<M> parser)
      throws IOException, InvalidProtocolBufferException {
    List<M> messages = new ArrayList<>();
    try (InputStream in = RecordedStream.class.getResourceAsStream("/otap/" + file)) {
      ByteBuffer bytes = ByteBuffer.wrap(Objects.requireNonNull(in, file).readAllBytes());
      while (bytes.hasRemaining()) {
        byte[] message = new byte[bytes.getInt()];
        bytes.get(message);
        messages.add(parser.parseFrom(message));
      }
    }
    return messages;
  }
}
