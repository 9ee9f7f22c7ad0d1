package io.headspan.wire.otap;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.experimental.arrow.v1.BatchArrowRecords;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// A stream recorded from the Go implementation; see `src/test/resources/otap/README.md`.
record RecordedStream(
    String name, List<BatchArrowRecords> batches, List<ExportTraceServiceRequest> expected) {
  static final List<String> TRACES =
      List.of(
          "01-one-bare-span",
          "02-everything-zstd",
          "03-everything-uncompressed",
          "04-columns-appear-later",
          "05-dictionaries-grow-past-u8",
          "06-dictionary-limit-u8-reset-or-plain",
          "07-no-dictionaries",
          "08-replacement-dictionaries");

  static RecordedStream traces(String name) throws IOException {
    List<ExportTraceServiceRequest> expected = new ArrayList<>();
    for (ByteString message : messages(name + ".otlp")) {
      expected.add(ExportTraceServiceRequest.parseFrom(message));
    }
    return new RecordedStream(name, batches(name), expected);
  }

  static List<BatchArrowRecords> batches(String name) throws IOException {
    List<BatchArrowRecords> batches = new ArrayList<>();
    for (ByteString message : messages(name + ".otap")) {
      batches.add(BatchArrowRecords.parseFrom(message));
    }
    return batches;
  }

  static List<ByteString> messages(String file) throws IOException {
    List<ByteString> messages = new ArrayList<>();
    try (InputStream resource = RecordedStream.class.getResourceAsStream("/otap/" + file)) {
      byte[] rest = Objects.requireNonNull(resource, file).readAllBytes();
      ByteString all = ByteString.copyFrom(rest);
      for (int at = 0; at < rest.length; ) {
        int length = all.substring(at, at + 4).asReadOnlyByteBuffer().getInt();
        messages.add(all.substring(at + 4, at + 4 + length));
        at += 4 + length;
      }
    }
    return messages;
  }
}
