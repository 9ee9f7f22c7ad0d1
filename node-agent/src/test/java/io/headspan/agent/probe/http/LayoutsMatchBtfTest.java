package io.headspan.agent.probe.http;

import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.agent.probe.KernelStructs;
import io.headspan.agent.probe.http.HttpEvent.ConnectionEnd;
import java.lang.foreign.StructLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LayoutsMatchBtfTest {
  private static final List<StructLayout> LAYOUTS =
      List.of(
          HttpExchangeEventLayout.LAYOUT,
          HttpTailEventLayout.LAYOUT,
          HttpHeadPartEventLayout.LAYOUT,
          HttpTranscriptEventLayout.LAYOUT,
          HttpBytesEventLayout.LAYOUT,
          HttpTranscriptEndEventLayout.LAYOUT);

  private final KernelStructs kernel = KernelStructs.read();

  @Test
  void everyStructHasALayoutAndEveryLayoutAStruct() {
    Set<String> structs =
        kernel.names().stream().filter(name -> name.startsWith("http_")).collect(toSet());
    assertThat(LAYOUTS.stream().map(layout -> layout.name().orElseThrow()))
        .containsExactlyInAnyOrderElementsOf(structs);
  }

  @Test
  void fieldsAreWhereTheKernelHasThem() {
    LAYOUTS.forEach(kernel::assertSame);
  }

  @Test
  void constantsAreTheKernels() {
    assertThat(kernel.enumConstants("event_kind"))
        .containsEntry("EVENT_HTTP_EXCHANGE", HttpExchangeEventLayout.KIND)
        .containsEntry("EVENT_HTTP_TAIL", HttpTailEventLayout.KIND)
        .containsEntry("EVENT_HTTP_HEAD_PART", HttpHeadPartEventLayout.KIND)
        .containsEntry("EVENT_HTTP_TRANSCRIPT", HttpTranscriptEventLayout.KIND)
        .containsEntry("EVENT_HTTP_BYTES", HttpBytesEventLayout.KIND)
        .containsEntry("EVENT_HTTP_TRANSCRIPT_END", HttpTranscriptEndEventLayout.KIND)
        .containsEntry("EVENT_HTTP_TURN", HttpExchangeEventLayout.KIND_TURN);
    assertThat(kernel.enumConstants("http_protocol"))
        .containsOnly(
            Map.entry("HTTP_PROTOCOL_1", HttpTranscriptEventLayout.PROTOCOL_1),
            Map.entry("HTTP_PROTOCOL_2", HttpTranscriptEventLayout.PROTOCOL_2));
    assertThat(kernel.enumConstants("http_direction"))
        .containsOnly(
            Map.entry("HTTP_FROM_CLIENT", HttpBytesEventLayout.FROM_CLIENT),
            Map.entry("HTTP_FROM_SERVER", HttpBytesEventLayout.FROM_SERVER));
    assertThat(kernel.enumConstants("http_role"))
        .containsOnly(
            Map.entry("HTTP_ROLE_SERVER", HttpExchangeEventLayout.ROLE_SERVER),
            Map.entry("HTTP_ROLE_CLIENT", HttpExchangeEventLayout.ROLE_CLIENT));
    assertThat(kernel.enumConstants("http_flag"))
        .containsOnly(
            Map.entry("HTTP_FLAG_PEER_LOCAL", HttpExchangeEventLayout.FLAG_PEER_LOCAL),
            Map.entry("HTTP_FLAG_RESPONSE_GAP", HttpExchangeEventLayout.FLAG_RESPONSE_GAP));
    Map<String, ConnectionEnd> ends = new LinkedHashMap<>();
    kernel
        .enumConstants("http_end")
        .forEach((name, value) -> ends.put(name, HttpExchangeEventLayout.end(value.byteValue())));
    assertThat(ends)
        .containsOnly(
            Map.entry("HTTP_END_NONE", ConnectionEnd.NONE),
            Map.entry("HTTP_END_CLOSED", ConnectionEnd.CLOSED),
            Map.entry("HTTP_END_RESET", ConnectionEnd.RESET),
            Map.entry("HTTP_END_LEFT", ConnectionEnd.LEFT),
            Map.entry("HTTP_END_TRANSCRIBED", ConnectionEnd.TRANSCRIBED));
  }

  @Test
  void countersAreTheKernels() {
    Map<String, Integer> counters = new LinkedHashMap<>();
    Arrays.stream(HttpCounter.values())
        .filter(HttpCounter::isInKernel)
        .forEach(counter ->
            counters.put(
                "HTTP_" + counter.label().toUpperCase(Locale.ROOT), counter.kernelIndex()));
    counters.put("HTTP_COUNTERS", counters.size());
    assertThat(kernel.enumConstants("http_counter")).isEqualTo(counters);
  }
}
