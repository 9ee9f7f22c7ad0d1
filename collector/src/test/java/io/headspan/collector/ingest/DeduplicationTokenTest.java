package io.headspan.collector.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.spans.SyntheticSpans;
import io.headspan.wire.SpanBatch;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DeduplicationTokenTest {
  private static final SpanBatch BATCH = new SyntheticSpans(1, 1_795_000_000_000_000_000L).next(3);

  @Test
  void namesTheBatchAsItsAgentDoes() {
    assertThat(token("node-1.example", "0f3a:2@x", "18446744073709551615"))
        .isEqualTo("node-1.example/0f3a:2@x/18446744073709551615");
  }

  @ParameterizedTest
  @CsvSource({
    "'',b,1",
    "a,'',1",
    "a,b,''",
    "a/b,c,1",
    "a,b/c,1",
    "a,b,-1",
    "a,b,one",
    "a,b,123456789012345678901"
  })
  void namesTheBatchByItsContentIfAHeaderIsNotOfItsForm(
      String agent, String boot, String sequence) {
    assertThat(token(agent, boot, sequence)).isEqualTo("content/" + ContentHash.of(BATCH));
  }

  @Test
  void namesTheBatchByItsContentWithoutHeaders() {
    assertThat(DeduplicationToken.of(name -> null, BATCH))
        .isEqualTo("content/" + ContentHash.of(BATCH));
  }

  private static String token(String agent, String boot, String sequence) {
    Map<String, String> headers =
        Map.of(
            "headspan-agent-id", agent,
            "headspan-boot-id", boot,
            "headspan-sequence", sequence);
    return DeduplicationToken.of(headers::get, BATCH);
  }
}
