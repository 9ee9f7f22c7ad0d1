package io.headspan.wire.otap;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.SpanBatch;
import io.headspan.wire.SpanMultiset;
import io.headspan.wire.otlp.OtlpDecoder;
import io.headspan.wire.otlp.OtlpEncoder;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class OtapDecoderTest {
  static List<String> recordedTraces() {
    return RecordedStream.TRACES;
  }

  @ParameterizedTest
  @MethodSource("recordedTraces")
  void agreesWithTheGoConsumer(String name) throws IOException {
    RecordedStream stream = RecordedStream.traces(name);
    try (OtapDecoder decoder = new OtapDecoder()) {
      for (int i = 0; i < stream.batches().size(); i++) {
        SpanBatch batch = decoder.decode(stream.batches().get(i));
        assertThat(SpanMultiset.of(OtlpEncoder.encode(batch).getResourceSpansList()))
            .describedAs("batch %d", i)
            .isEqualTo(SpanMultiset.of(stream.expected().get(i).getResourceSpansList()));
      }
      assertThat(decoder.ignoredRows()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("recordedTraces")
  void otlpOfTheRecordedSpansIsKept(String name) throws IOException {
    for (var request : RecordedStream.traces(name).expected()) {
      assertThat(
              SpanMultiset.of(
                  OtlpEncoder.encode(OtlpDecoder.decode(request)).getResourceSpansList()))
          .isEqualTo(SpanMultiset.of(request.getResourceSpansList()));
    }
  }
}
