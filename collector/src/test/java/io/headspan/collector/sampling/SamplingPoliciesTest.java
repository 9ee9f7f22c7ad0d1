package io.headspan.collector.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.wire.SpanBatch;
import io.headspan.wire.otlp.OtlpDecoder;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class SamplingPoliciesTest {
  private static List<SpanBatch> traces = List.of();

  static List<Arguments> recorded() throws IOException {
    List<Arguments> cases = new ArrayList<>();
    String lines = new String(resource("/tail-sampling/decisions.jsonl"), StandardCharsets.UTF_8);
    for (String line : lines.split("\n", -1)) {
      if (!line.isBlank()) {
        JsonNode one = new ObjectMapper().readTree(line);
        Set<String> kept = new TreeSet<>();
        one.get("kept").forEach(id -> kept.add(id.asText()));
        cases.add(Arguments.of(one.get("case").asText(), one.get("policies").asText(), kept));
      }
    }
    return cases;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("recorded")
  void keepsWhatTheProcessorKept(String name, String yaml, Set<String> kept) throws IOException {
    assertThat(kept).describedAs(name).isNotEmpty();
    assertThat(kept(yaml)).isEqualTo(kept);
  }

  @Test
  void readsTheProcessorsWholeConfiguration() throws IOException {
    assertThat(
            kept(
                """
                processors:
                  tail_sampling:
                    decision_wait: 10s
                    policies:
                      - name: all
                        type: always_sample
                """))
        .hasSize(300);
  }

  @Test
  void dropWinsAndNotTurnsRound() throws IOException {
    String error = "{name: e, type: status_code, status_code: {status_codes: [ERROR]}}";
    Set<String> failed = kept("[" + error + "]");

    Set<String> others = kept("[{name: n, type: not, not: {not_sub_policy: " + error + "}}]");
    Set<String> undropped =
        kept(
            "[{name: a, type: always_sample}, {name: d, type: drop, drop: {drop_sub_policy: ["
                + error
                + "]}}]");

    assertThat(others).hasSize(300 - failed.size()).doesNotContainAnyElementsOf(failed);
    assertThat(undropped).isEqualTo(others);
  }

  @Test
  void aBoundThatIsNotNamedIsZero() throws IOException {
    String policy =
        "[{name: n, type: numeric_attribute, numeric_attribute: {key: http.response.status_code, %s}}]";
    assertThat(kept(policy.formatted("min_value: 1, max_value: 999"))).isNotEmpty();
    assertThat(kept(policy.formatted("min_value: 1"))).isEmpty();
    assertThat(kept(policy.formatted("max_value: 999"))).isNotEmpty();
  }

  @Test
  void ratesHoldWithinASecond() throws IOException {
    AtomicLong second = new AtomicLong(100);
    SamplingPolicies policies =
        SamplingPolicies.parse(
            "[{name: r, type: rate_limiting, rate_limiting: {spans_per_second: 50}}]", second::get);
    int spans = 0;
    for (SpanBatch trace : traces()) {
      spans += policies.decide(new SampledTrace(trace)).kept() ? trace.size() : 0;
    }
    assertThat(spans).isBetween(40, 50);
    second.incrementAndGet();
    assertThat(policies.decide(new SampledTrace(traces().getFirst())).kept()).isTrue();
  }

  @Test
  void aShardHasItsShareOfEachRate() throws IOException {
    for (String policy :
        List.of(
            "{name: r, type: rate_limiting, rate_limiting: {spans_per_second: 50}}",
            """
            {name: c, type: composite, composite: {max_total_spans_per_second: 50, \
            composite_sub_policy: [{name: a, type: always_sample}], \
            rate_allocation: [{policy: a, percent: 100}]}}\
            """)) {
      SamplingPolicies policies = SamplingPolicies.parse("[" + policy + "]", () -> 100, 0.5);
      int spans = 0;
      for (SpanBatch trace : traces()) {
        spans += policies.decide(new SampledTrace(trace)).kept() ? trace.size() : 0;
      }
      assertThat(spans).as(policy).isBetween(18, 25);
    }
  }

  @Test
  void aCompositeSharesItsRate() throws IOException {
    SamplingPolicies policies =
        SamplingPolicies.parse(
            """
            - name: c
              type: composite
              composite:
                max_total_spans_per_second: 100
                policy_order: [errors, rest]
                composite_sub_policy:
                  - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
                  - {name: rest, type: always_sample}
                rate_allocation:
                  - {policy: errors, percent: 60}
                  - {policy: rest, percent: 40}
            """,
            () -> 1);
    int failed = 0;
    int good = 0;
    for (SpanBatch trace : traces()) {
      if (policies.decide(new SampledTrace(trace)).kept()) {
        boolean isFailed = new SampledTrace(trace).anySpan(span -> trace.statusCode(span) == 2);
        failed += isFailed ? trace.size() : 0;
        good += isFailed ? 0 : trace.size();
      }
    }
    assertThat(failed).isBetween(45, 60);
    assertThat(good).isBetween(30, 40);
  }

  @Test
  void aCompositeWithoutSharesKeepsNothing() throws IOException {
    String composite =
        "[{name: c, type: composite, composite: {max_total_spans_per_second: 100000,"
            + " composite_sub_policy: [{name: all, type: always_sample}]%s}}]";

    assertThat(kept(composite.formatted(""))).isEmpty();
    assertThat(kept(composite.formatted(", rate_allocation: [{policy: all}]"))).hasSize(300);
  }

  @Test
  void bytesAreLimitedAndSavedForABurst() throws IOException {
    AtomicLong second = new AtomicLong(100);
    SamplingPolicies policies =
        SamplingPolicies.parse(
            "[{name: b, type: bytes_limiting, bytes_limiting: {bytes_per_second: 10000}}]",
            second::get);

    assertThat(keptBytes(policies)).isBetween(15_000L, 20_000L);
    second.addAndGet(1);
    assertThat(keptBytes(policies)).isBetween(5_000L, 15_000L);
    second.addAndGet(1000);
    assertThat(keptBytes(policies)).isBetween(15_000L, 20_000L);
  }

  @Test
  void textPoliciesTakeWhatIsNoTextOfAResourceAsEmpty() throws IOException {
    String regex =
        "[{name: s, type: string_attribute, string_attribute: {key: %s, values: ['^$'],"
            + " enabled_regex_matching: true}}]";

    assertThat(kept(regex.formatted("spot"))).isNotEmpty();
    assertThat(kept(regex.formatted("http.response.status_code"))).isEmpty();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "end_time - start_time > Duration(\"1.5s\")"
            + " | end_time_unix_nano - start_time_unix_nano > 1500000000",
        "end_time - start_time > Duration(\"1s500ms\")"
            + " | end_time_unix_nano - start_time_unix_nano > 1500000000",
        "kind.string == \"Client\" | kind == SPAN_KIND_CLIENT",
        "IsMatch(attributes[\"http.response.status_code\"], \"^5\")"
            + " | attributes[\"http.response.status_code\"] >= 500",
        "not (kind == SPAN_KIND_CLIENT or name == \"SET\")"
            + " | kind != SPAN_KIND_CLIENT and name != \"SET\"",
      })
  void conditionsThatSayTheSameKeepTheSame(String one, String other) throws IOException {
    String yaml = "[{name: o, type: ottl_condition, ottl_condition: {span: ['%s']}}]";

    assertThat(kept(yaml.formatted(one))).isNotEmpty().isEqualTo(kept(yaml.formatted(other)));
  }

  @Test
  void probabilitiesAreKeptAndAgreeBetweenSamplers() throws IOException {
    String yaml =
        "[{name: p, type: probabilistic, probabilistic: {sampling_percentage: %s, hash_salt: x}}]";
    Set<String> tenth = kept(yaml.formatted("10"));
    Set<String> half = kept(yaml.formatted("50"));

    assertThat(tenth).hasSizeBetween(12, 50);
    assertThat(half).hasSizeBetween(115, 185).containsAll(tenth);
    assertThat(kept(yaml.formatted("0.0"))).isEmpty();
    assertThat(kept(yaml.formatted("100"))).hasSize(300);
  }

  @Test
  void saysWhichPolicyKeptATrace() throws IOException {
    SamplingPolicies policies =
        SamplingPolicies.parse(
            "[{name: a, type: always_sample}, {name: b, type: span_count, span_count: {min_spans: 1}}]",
            () -> 0);
    assertThat(policies.decide(new SampledTrace(traces().getFirst())).policies())
        .containsExactly("a", "b");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'['| policies are no YAML",
        "{} | no policies found",
        "[{type: always_sample}] | policy without a name",
        "[{name: a, type: magic}] | unknown type of policy: name=a, type=magic",
        "[{name: a, type: latency, latency: {threshold_ms: fast}}] | policy=a, key=threshold_ms",
        "[{name: a, type: bytes_limiting, bytes_limiting: {}}] | policy=a, key=bytes_per_second",
        "[{name: a, type: ottl_condition, ottl_condition: {span: ['Duration(\"1\") > 1']}}]"
            + " | expected a duration in quotes",
        "[{name: a, type: and, and: {}}] | policy without sub-policies: policy=a",
        "[{name: a, type: status_code, status_code: {status_codes: [BAD]}}] | code=BAD",
        "[{name: a, type: ottl_condition, ottl_condition: {span: ['x =']}}] | column=2; expected",
        "[{name: a, type: ottl_condition, ottl_condition: {span: [nope == 1]}}] | path=nope",
      })
  void saysWhatIsWrong(String yaml, String message) {
    assertThatThrownBy(() -> SamplingPolicies.parse(yaml, () -> 0))
        .isInstanceOf(SamplingException.class)
        .hasMessageContaining(message);
  }

  private static long keptBytes(SamplingPolicies policies) throws IOException {
    long size = 0;
    for (SpanBatch batch : traces()) {
      SampledTrace trace = new SampledTrace(batch);
      size += policies.decide(trace).kept() ? trace.sizeBytes() : 0;
    }
    return size;
  }

  private static Set<String> kept(String yaml) throws IOException {
    SamplingPolicies policies = SamplingPolicies.parse(yaml, () -> 0);
    Set<String> kept = new TreeSet<>();
    for (SpanBatch trace : traces()) {
      if (policies.decide(new SampledTrace(trace)).kept()) {
        kept.add(
            HexFormat.of().toHexDigits(trace.traceIdHigh(0))
                + HexFormat.of().toHexDigits(trace.traceIdLow(0)));
      }
    }
    return kept;
  }

  static List<SpanBatch> traces() throws IOException {
    if (traces.isEmpty()) {
      traces = requests().stream().map(OtlpDecoder::decode).toList();
    }
    return traces;
  }

  /// The first of them as one batch.
  static SpanBatch together(int count) throws IOException {
    ExportTraceServiceRequest.Builder all = ExportTraceServiceRequest.newBuilder();
    requests().subList(0, count).forEach(all::mergeFrom);
    return OtlpDecoder.decode(all.build());
  }

  private static List<ExportTraceServiceRequest> requests() throws IOException {
    List<ExportTraceServiceRequest> requests = new ArrayList<>();
    ByteBuffer bytes = ByteBuffer.wrap(resource("/traceql/dataset.otlp"));
    while (bytes.hasRemaining()) {
      byte[] message = new byte[bytes.getInt()];
      bytes.get(message);
      requests.add(ExportTraceServiceRequest.parseFrom(message));
    }
    return requests;
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = SamplingPoliciesTest.class.getResourceAsStream(name)) {
      return Objects.requireNonNull(in, name).readAllBytes();
    }
  }
}
