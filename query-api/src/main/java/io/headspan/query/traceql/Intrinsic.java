package io.headspan.query.traceql;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/// What every span has besides attributes.
public enum Intrinsic {
  DURATION(FieldType.NUMBER, "duration", "span:duration"),
  NAME(FieldType.TEXT, "name", "span:name"),
  STATUS(FieldType.STATUS, "status", "span:status"),
  STATUS_MESSAGE(FieldType.TEXT, "statusMessage", "span:statusMessage"),
  KIND(FieldType.KIND, "kind", "span:kind"),
  SPAN_ID(FieldType.TEXT, "span:id"),
  PARENT_ID(FieldType.TEXT, "span:parentID"),
  CHILD_COUNT(FieldType.NUMBER, "span:childCount", "childCount"),
  NESTED_SET_LEFT(FieldType.NUMBER, "nestedSetLeft"),
  NESTED_SET_RIGHT(FieldType.NUMBER, "nestedSetRight"),
  NESTED_SET_PARENT(FieldType.NUMBER, "nestedSetParent"),
  PARENT(FieldType.ANY, "parent"),
  TRACE_ID(FieldType.TEXT, "trace:id"),
  TRACE_DURATION(FieldType.NUMBER, "traceDuration", "trace:duration"),
  ROOT_NAME(FieldType.TEXT, "rootName", "trace:rootName"),
  ROOT_SERVICE_NAME(FieldType.TEXT, "rootServiceName", "trace:rootService"),
  EVENT_NAME(FieldType.TEXT, "event:name"),
  EVENT_TIME_SINCE_START(FieldType.NUMBER, "event:timeSinceStart"),
  LINK_SPAN_ID(FieldType.TEXT, "link:spanID"),
  LINK_TRACE_ID(FieldType.TEXT, "link:traceID"),
  INSTRUMENTATION_NAME(FieldType.TEXT, "instrumentation:name"),
  INSTRUMENTATION_VERSION(FieldType.TEXT, "instrumentation:version");

  private static final Map<String, Intrinsic> BY_TEXT = byText();

  private final FieldType type;
  private final String text;
  private final String alias;

  Intrinsic(FieldType type, String text) {
    this(type, text, text);
  }

  Intrinsic(FieldType type, String text, String alias) {
    this.type = type;
    this.text = text;
    this.alias = alias;
  }

  /// The name in results, whichever spelling a query used.
  public String text() {
    return text;
  }

  FieldType type() {
    return type;
  }

  /// Whether the value is a span of time in ns.
  boolean isTime() {
    return this == DURATION || this == TRACE_DURATION || this == EVENT_TIME_SINCE_START;
  }

  /// Whether an editor should offer it, as Tempo does: not the numbers of the tree, nor `parent`.
  public boolean isSuggested() {
    return !Columns.isOfTree(this) && this != PARENT;
  }

  /// Every spelling a query may use, and what it means.
  public static Map<String, Intrinsic> spellings() {
    return BY_TEXT;
  }

  private static Map<String, Intrinsic> byText() {
    Map<String, Intrinsic> map = new TreeMap<>();
    for (Intrinsic intrinsic : values()) {
      map.put(intrinsic.text, intrinsic);
      map.put(intrinsic.alias, intrinsic);
    }
    return Collections.unmodifiableMap(map);
  }
}
