package io.headspan.query.traceql;

import com.google.protobuf.ByteString;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Where a span stands in the tree of its trace. The numbers are those of a walk from the roots
/// that visits children in order of their start, span by span.
///
/// Two are equal if they are the same: a span can be its own ancestor.
final class SpanPlace {
  private static final Comparator<SpanFields> BY_START =
      Comparator.<SpanFields>comparingLong(fields -> fields.span().getStartTimeUnixNano())
          .thenComparing(
              fields -> fields.span().getSpanId(), ByteString.unsignedLexicographicalComparator());

  private @Nullable SpanFields parent;
  private int left;
  private int right;
  private int parentLeft;
  private int children;

  /// The span's parent, if a root reaches the two.
  Optional<SpanFields> parent() {
    return left > 0 ? Optional.ofNullable(parent) : Optional.empty();
  }

  /// 0 if no root reaches the span, as the two that follow.
  int left() {
    return left;
  }

  int right() {
    return right;
  }

  /// The parent's left number, -1 of a root.
  int parentLeft() {
    return parentLeft;
  }

  int children() {
    return children;
  }

  /// Works out the places of all spans of a trace.
  static void fill(List<SpanFields> trace) {
    Map<ByteString, SpanFields> byId = new HashMap<>();
    trace.forEach(fields -> byId.put(fields.span().getSpanId(), fields));
    Map<SpanFields, List<SpanFields>> children = new HashMap<>();
    List<SpanFields> roots = new ArrayList<>();
    for (SpanFields fields : trace.stream().sorted(BY_START).toList()) {
      ByteString parentId = fields.span().getParentSpanId();
      SpanFields parent = byId.get(parentId);
      fields.place().parent = parent;
      if (parent != null && !parent.equals(fields)) {
        children.computeIfAbsent(parent, _ -> new ArrayList<>()).add(fields);
        parent.place().children++;
      } else if (parentId.isEmpty()) {
        roots.add(fields);
      }
    }
    int next = 1;
    for (SpanFields root : roots) {
      next = number(root, -1, next, children);
    }
  }

  private static int number(
      SpanFields fields, int parentLeft, int first, Map<SpanFields, List<SpanFields>> children) {
    SpanPlace place = fields.place();
    place.left = first;
    place.parentLeft = parentLeft;
    int next = first + 1;
    for (SpanFields child : children.getOrDefault(fields, List.of())) {
      next = number(child, first, next, children);
    }
    place.right = next;
    return next + 1;
  }
}
