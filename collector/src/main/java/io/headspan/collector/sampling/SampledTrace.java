package io.headspan.collector.sampling;

import io.headspan.wire.AttributeType;
import io.headspan.wire.Attributes;
import io.headspan.wire.SpanBatch;
import java.util.Map;
import java.util.function.IntPredicate;

/// A trace as policies look at it: all its spans that are there when it is decided.
final class SampledTrace implements TraceFacts {
  /// A count of what was dropped.
  private static final int COUNT_BYTES = 4;

  /// Three ids, two times, kind, status and three counts.
  private static final int SPAN_BYTES = 68;

  /// A time and a count.
  private static final int EVENT_BYTES = 12;

  /// Two ids and a count.
  private static final int LINK_BYTES = 28;

  private static final String TENANT = "headspan.tenant";
  private static final String SERVICE = "service.name";
  private static final String VERSION = "service.version";
  private static final String OPEN = "headspan.open";

  private static final byte SERVER = 2;
  private static final byte CONSUMER = 5;

  private final SpanBatch spans;
  private final Histories histories;

  /// @param spans of one trace
  SampledTrace(SpanBatch spans) {
    this(spans, Histories.of(Map.of()));
  }

  /// @param spans of one trace
  /// @param histories what it is compared to
  SampledTrace(SpanBatch spans, Histories histories) {
    this.spans = spans;
    this.histories = histories;
  }

  SpanBatch batch() {
    return spans;
  }

  @Override
  public boolean holds(Policy.Condition condition) {
    return condition.matches(this);
  }

  @Override
  public long traceIdHigh() {
    return spans.traceIdHigh(0);
  }

  @Override
  public long traceIdLow() {
    return spans.traceIdLow(0);
  }

  @Override
  public long spans() {
    return spans.size();
  }

  /// Of its spans in the order of the batch.
  @Override
  public String tenant() {
    for (int span = 0; span < spans.size(); span++) {
      String tenant = resourceText(span, TENANT);
      if (!tenant.isEmpty()) {
        return tenant;
      }
    }
    return "";
  }

  @Override
  public String rootService() {
    int root = root();
    return root < 0 ? "" : resourceText(root, SERVICE);
  }

  @Override
  public String rootOperation() {
    int root = root();
    return root < 0 ? "" : spans.text(spans.name(root));
  }

  /// The last span without a parent, -1 if there is none.
  private int root() {
    int root = -1;
    for (int span = 0; span < spans.size(); span++) {
      if (spans.parentSpanId(span) == 0
          && (root < 0 || spans.startNs(span) > spans.startNs(root))) {
        root = span;
      }
    }
    return root;
  }

  History history(Policy.OfHistory condition) {
    return histories.of(condition);
  }

  /// Whether a span is an invocation that has ended.
  boolean isInvocation(int span) {
    byte kind = spans.kind(span);
    return (kind == SERVER || kind == CONSUMER)
        && !holds(
            spans.spanAttributes(),
            span,
            OPEN,
            (type, value) -> type == AttributeType.BOOL && value != 0);
  }

  History.Name operation(int span) {
    return new History.Name(
        resourceText(span, TENANT), resourceText(span, SERVICE), spans.text(spans.name(span)));
  }

  History.Name version(int span) {
    return new History.Name(
        resourceText(span, TENANT), resourceText(span, SERVICE), resourceText(span, VERSION));
  }

  private String resourceText(int span, String key) {
    Attributes attributes = spans.resourceAttributes();
    int row = find(attributes, resource(span), key);
    return row < 0 ? "" : text(attributes.type(row), attributes.value(row));
  }

  int size() {
    return spans.size();
  }

  boolean anySpan(IntPredicate condition) {
    for (int span = 0; span < spans.size(); span++) {
      if (condition.test(span)) {
        return true;
      }
    }
    return false;
  }

  /// Whether `test` holds for the attribute `key` of any span or any span's resource.
  boolean anyAttribute(String key, ValueTest test) {
    return anyResourceAttribute(key, test) || anySpanAttribute(key, test);
  }

  boolean anyResourceAttribute(String key, ValueTest test) {
    return anySpan(span -> holds(spans.resourceAttributes(), resource(span), key, test));
  }

  boolean anySpanAttribute(String key, ValueTest test) {
    return anySpan(span -> holds(spans.spanAttributes(), span, key, test));
  }

  /// About how large the trace is, uncompressed: its texts, its values, and what a span, event,
  /// link, resource or scope has in any case.
  @Override
  public long sizeBytes() {
    long size = 0;
    for (int resource = 0; resource < spans.resources(); resource++) {
      size += COUNT_BYTES + sizeBytes(spans.resourceAttributes(), resource);
    }
    for (int scope = 0; scope < spans.scopes(); scope++) {
      size +=
          COUNT_BYTES + sizeBytes(spans.scopeName(scope)) + sizeBytes(spans.scopeVersion(scope));
      size += sizeBytes(spans.scopeAttributes(), scope);
    }
    for (int span = 0; span < spans.size(); span++) {
      size += SPAN_BYTES + sizeBytes(spans.name(span)) + sizeBytes(spans.traceState(span));
      size += sizeBytes(spans.statusMessage(span)) + sizeBytes(spans.spanAttributes(), span);
    }
    for (int event = 0; event < spans.events(); event++) {
      size += EVENT_BYTES + sizeBytes(spans.eventName(event));
      size += sizeBytes(spans.eventAttributes(), event);
    }
    for (int link = 0; link < spans.links(); link++) {
      size += LINK_BYTES + sizeBytes(spans.linkTraceState(link));
      size += sizeBytes(spans.linkAttributes(), link);
    }
    return size;
  }

  private long sizeBytes(int text) {
    return spans.table().length(text);
  }

  private long sizeBytes(Attributes attributes, int owner) {
    long size = 0;
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      byte type = attributes.type(row);
      size += sizeBytes(attributes.key(row));
      if (AttributeType.isTableId(type)) {
        size += sizeBytes((int) attributes.value(row));
      } else if (type == AttributeType.BOOL) {
        size += 1;
      } else if (type != AttributeType.EMPTY) {
        size += Long.BYTES;
      }
    }
    return size;
  }

  int resource(int span) {
    return spans.scopeResource(spans.scope(span));
  }

  private boolean holds(Attributes attributes, int owner, String key, ValueTest test) {
    int row = find(attributes, owner, key);
    return row >= 0 && test.test(attributes.type(row), attributes.value(row));
  }

  /// The row of an attribute, -1 if its owner has none.
  int find(Attributes attributes, int owner, String key) {
    for (int row = attributes.begin(owner); row < attributes.end(owner); row++) {
      if (spans.text(attributes.key(row)).equals(key)) {
        return row;
      }
    }
    return -1;
  }

  /// The text of a value; "" if it is none.
  String text(byte type, long value) {
    return type == AttributeType.STRING ? spans.text((int) value) : "";
  }

  /// Looks at a value as [Attributes] holds it.
  @FunctionalInterface
  interface ValueTest {
    boolean test(byte type, long value);
  }
}
