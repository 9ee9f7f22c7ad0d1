package io.headspan.query.explain;

import static org.assertj.core.api.Assertions.assertThat;

import io.opentelemetry.proto.trace.v1.Span;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CriticalPathTest {
  @Test
  void followsTheCallsThatWereWaitedFor() {
    List<TraceSpan> spans =
        List.of(
            span("a", "", 0, 100),
            span("b", "a", 10, 40),
            span("c", "a", 20, 60),
            span("d", "c", 30, 50),
            span("e", "a", 70, 130));
    assertThat(path(spans))
        .containsExactly(
            "a 0-10", "b 10-20", "c 20-30", "d 30-50", "c 50-60", "a 60-70", "e 70-100");
  }

  @Test
  void takesTheLongestOfSeveralRoots() {
    assertThat(path(List.of(span("a", "", 0, 10), span("b", "lost", 5, 30))))
        .containsExactly("b 5-30");
  }

  @Test
  void endsWhereParentsFormACircle() {
    assertThat(path(List.of(span("a", "b", 0, 10), span("b", "a", 2, 6))))
        .containsExactly("a 0-2", "b 2-6", "a 6-10");
  }

  @Test
  void isDeepWithoutRunningOutOfStack() {
    List<TraceSpan> spans = new ArrayList<>();
    for (int i = 0; i < 50_000; i++) {
      spans.add(span("s" + i, i == 0 ? "" : "s" + (i - 1), i, 200_000 - i));
    }
    assertThat(path(spans)).hasSize(99_999);
  }

  @Test
  void fillsTheRootWithoutGaps() {
    Random random = new Random(3);
    for (int round = 0; round < 500; round++) {
      List<TraceSpan> spans = new ArrayList<>();
      spans.add(span("0", "", 0, 1000));
      for (int i = 1; i < 12; i++) {
        int start = random.nextInt(1100) - 50;
        spans.add(span("" + i, "" + random.nextInt(i), start, start + random.nextInt(400)));
      }
      List<CriticalPath.Segment> path = CriticalPath.of(spans);
      long cursor = 0;
      for (CriticalPath.Segment segment : path) {
        assertThat(segment.fromNs()).isEqualTo(cursor);
        assertThat(segment.fromNs()).isGreaterThanOrEqualTo(segment.span().startNs());
        assertThat(segment.toNs()).isLessThanOrEqualTo(segment.span().endNs());
        cursor = segment.toNs();
      }
      assertThat(cursor).isEqualTo(1000);
    }
  }

  private static List<String> path(List<TraceSpan> spans) {
    return CriticalPath.of(spans).stream()
        .map(each -> each.span().spanId() + " " + each.fromNs() + "-" + each.toNs())
        .toList();
  }

  private static TraceSpan span(String id, String parent, long startNs, long endNs) {
    return new TraceSpan(
        id,
        parent,
        "",
        "",
        "",
        Span.SpanKind.SPAN_KIND_INTERNAL,
        false,
        startNs,
        endNs - startNs,
        Map.of(),
        "");
  }
}
