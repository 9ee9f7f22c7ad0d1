package io.headspan.collector.receive;

import com.google.protobuf.ByteString;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import io.opentelemetry.proto.trace.v1.ScopeSpans;
import io.opentelemetry.proto.trace.v1.Span;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Takes the spans out of a request whose ids OTLP does not allow: a trace id is 16 bytes and a
/// span id 8, neither all zero; a parent's and a link's may be missing.
final class SpanIds {
  private static final int TRACE_ID_BYTES = 16;
  private static final int SPAN_ID_BYTES = 8;
  private static final int NAME_CHARS = 100;

  /// @param request what is left, the request itself if all its spans are good
  /// @param rejected how many spans were taken out
  /// @param message what is wrong with the first of them; "" if there is none
  record Checked(ExportTraceServiceRequest request, int rejected, String message) {}

  private SpanIds() {}

  static Checked check(ExportTraceServiceRequest request) {
    int rejected = 0;
    String first = "";
    for (ResourceSpans resourceSpans : request.getResourceSpansList()) {
      for (ScopeSpans scopeSpans : resourceSpans.getScopeSpansList()) {
        for (Span span : scopeSpans.getSpansList()) {
          String fault = fault(span);
          if (fault != null) {
            rejected++;
            first = first.isEmpty() ? describe(span, fault) : first;
          }
        }
      }
    }
    if (rejected == 0) {
      return new Checked(request, 0, "");
    }
    return new Checked(withoutFaults(request), rejected, first);
  }

  private static ExportTraceServiceRequest withoutFaults(ExportTraceServiceRequest request) {
    ExportTraceServiceRequest.Builder left = ExportTraceServiceRequest.newBuilder();
    for (ResourceSpans resourceSpans : request.getResourceSpansList()) {
      ResourceSpans.Builder resource = resourceSpans.toBuilder().clearScopeSpans();
      for (ScopeSpans scopeSpans : resourceSpans.getScopeSpansList()) {
        List<Span> good = new ArrayList<>(scopeSpans.getSpansCount());
        for (Span span : scopeSpans.getSpansList()) {
          if (fault(span) == null) {
            good.add(span);
          }
        }
        if (!good.isEmpty()) {
          resource.addScopeSpans(scopeSpans.toBuilder().clearSpans().addAllSpans(good));
        }
      }
      if (resource.getScopeSpansCount() > 0) {
        left.addResourceSpans(resource);
      }
    }
    return left.build();
  }

  private static @Nullable String fault(Span span) {
    if (isNotId(span.getTraceId(), TRACE_ID_BYTES)) {
      return text("trace id", span.getTraceId(), TRACE_ID_BYTES);
    }
    if (isNotId(span.getSpanId(), SPAN_ID_BYTES)) {
      return text("span id", span.getSpanId(), SPAN_ID_BYTES);
    }
    if (isNotReference(span.getParentSpanId(), SPAN_ID_BYTES)) {
      return text("parent span id", span.getParentSpanId(), SPAN_ID_BYTES);
    }
    for (Span.Link link : span.getLinksList()) {
      if (isNotReference(link.getTraceId(), TRACE_ID_BYTES)) {
        return text("linked trace id", link.getTraceId(), TRACE_ID_BYTES);
      }
      if (isNotReference(link.getSpanId(), SPAN_ID_BYTES)) {
        return text("linked span id", link.getSpanId(), SPAN_ID_BYTES);
      }
    }
    return null;
  }

  private static boolean isNotId(ByteString id, int length) {
    if (id.size() != length) {
      return true;
    }
    for (int i = 0; i < length; i++) {
      if (id.byteAt(i) != 0) {
        return false;
      }
    }
    return true;
  }

  private static boolean isNotReference(ByteString id, int length) {
    return !id.isEmpty() && id.size() != length;
  }

  private static String text(String what, ByteString id, int length) {
    return id.size() == length
        ? what + " is all zero"
        : what + " has " + id.size() + " bytes, expected " + length;
  }

  private static String describe(Span span, String fault) {
    String name = span.getName();
    return fault
        + ": span name="
        + (name.length() <= NAME_CHARS ? name : name.substring(0, NAME_CHARS) + "…");
  }
}
