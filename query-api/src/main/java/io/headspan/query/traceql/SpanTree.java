package io.headspan.query.traceql;

import io.headspan.query.traceql.StructuralOperator.Form;
import io.headspan.query.traceql.StructuralOperator.Relation;
import java.util.List;
import java.util.function.UnaryOperator;

/// The place of spans in their trace's tree, and the structural operators over it, as SQL.
///
/// Nested-set numbers: a walk over the forest counts upwards at entering and at leaving a span,
/// which gives it `l` and `r`; `p` is the parent's `l`. D descends from A if `A.l < D.l < A.r`.
/// Real roots come first and have p = -1. Spans that no real root reaches (orphans, and spans in
/// cycles) have 0, 0, 0: they never match an operator, only its negation.
///
/// The numbers come from one GROUP BY with arrays, without recursion: an Euler tour of first-child
/// and next-sibling pointers, ranked by pointer doubling (Tarjan and Vishkin 1985; Wyllie 1979).
/// Every lookup is a sort followed by a fill: an array captured by a lambda would be copied for
/// each of its elements, which is quadratic.
final class SpanTree {
  private SpanTree() {}

  /// Rows `tree_trace, tree_span, tree_left, tree_right, tree_parent, tree_children` of all spans
  /// of `spans`.
  ///
  /// @param spans a SELECT of `trace_id, span_id, parent_span_id, time`
  static String numbers(String spans) {
    return rows(numbered(spans, "span_id"));
  }

  /// Rows `trace_id, x`, a row per trace: those elements of its spans that match anything (`f`),
  /// with their numbers added.
  ///
  /// @param spans a SELECT of `trace_id, span_id, parent_span_id, time, e`, where `e` is a tuple
  /// @param type that of `e` with `l`, `r` and `p` at its end
  static String elements(String spans, String type) {
    return """
    SELECT trace_id, arrayFilter(e->e.f!=0,CAST(arrayMap((e,a,b,c)->\
    tupleConcat(e,if(a<=last_rooted,(a,b,c),(toUInt32(0),toUInt32(0),toInt32(0)))),nodes,l,r,p),\
    'Array(%s)')) AS x FROM (%s)\
    """
        .formatted(type, numbered(spans, "e"));
  }

  /// Rows `trace_id, nodes, l, r, p, children, last_rooted`, a row per trace: what stands for each
  /// of its spans, and their numbers, of which those above `last_rooted` are of spans that no root
  /// reaches.
  ///
  /// @param node what stands for a span
  private static String numbered(String spans, String node) {
    String tour = parents(spans, node);
    for (UnaryOperator<String> step : STEPS) {
      tour = step.apply(tour);
    }
    return tour;
  }

  private static final List<UnaryOperator<String>> STEPS =
      List.of(
          SpanTree::children,
          SpanTree::pointers,
          SpanTree::tour,
          SpanTree::ranks,
          SpanTree::positions,
          SpanTree::parentNumbers);

  /// Spans of a trace in order of start; `parent[i]` is the index of i's parent, 0 if it has none
  /// here or is its own. `outer` is the parent id as sent.
  private static String parents(String spans, String node) {
    return """
    SELECT trace_id, nodes, outer, ix, \
    arraySort(arrayFilter(y->y.1>0,arrayMap((z,g)->\
    (if(z.2=1,z.3,0),if(g.2=0 AND g.1=z.1 AND g.3!=z.3,g.3,0)),events,arrayFill(z->z.2=0,events)))).2 AS parent \
    FROM (SELECT trace_id, nodes, outer, ix, arraySort(arrayConcat(\
    arrayMap((x,i)->(x,0,i),ids,ix),arrayMap((x,i)->(x,1,i),outer,ix))) AS events \
    FROM (SELECT trace_id, spans.2 AS ids, spans.3 AS outer, spans.4 AS nodes, \
    arrayEnumerate(ids) AS ix FROM (SELECT trace_id, \
    arraySort(groupUniqArray((time,span_id,parent_span_id,%s))) AS spans \
    FROM (%s) GROUP BY trace_id)))\
    """
        .formatted(node, spans);
  }

  /// One list of (parent, kind, child): kind 0 marks where a parent's children begin, 1 a child, 2
  /// an orphan, which comes after the real roots under parent 0. `following` is the next entry.
  private static String children(String inner) {
    return """
    SELECT trace_id, nodes, outer, ix, parent, lists, \
    arrayPushBack(arrayPopFront(lists),(toUInt32(4294967295),toUInt8(0),toUInt32(0))) AS following \
    FROM (SELECT trace_id, nodes, outer, ix, parent, arraySort(arrayConcat(\
    arrayMap(i->(toUInt32(i),toUInt8(0),toUInt32(0)),ix),\
    arrayMap((q,i,o)->(toUInt32(q),toUInt8(if(q=0 AND o!=0,2,1)),toUInt32(i)),parent,ix,outer))) AS lists \
    FROM (%s))\
    """
        .formatted(inner);
  }

  /// First child, next sibling and number of children of each span.
  private static String pointers(String inner) {
    return """
    SELECT trace_id, nodes, outer, ix, parent, \
    arrayMap((z,w)->if(w.2>0 AND w.1=z.1,w.3,0),\
    arrayFilter(z->z.2=0,lists),arrayFilter((w,z)->z.2=0,following,lists)) AS first_child, \
    arraySort((y,k)->k,arrayMap((z,w)->if(w.2>0 AND w.1=z.1,w.3,0),\
    arrayFilter(z->z.2>0,lists),arrayFilter((w,z)->z.2>0,following,lists)),\
    arrayMap(z->z.3,arrayFilter(z->z.2>0,lists))) AS next_sibling, \
    arrayFilter((i,z)->z.2=0,arrayEnumerate(lists),lists) AS begins, \
    arrayMap((x,y)->toUInt32(y-x-1),begins,\
    arrayPushBack(arrayPopFront(begins),length(lists)+1)) AS children \
    FROM (%s)\
    """
        .formatted(inner);
  }

  /// The tour as a linked list: arc 2i-1 enters span i, arc 2i leaves it. An entry holds the arc
  /// that follows in its high half and the distance to it, 1, in its low half; a high half of 0
  /// ends the list.
  private static String tour(String inner) {
    return """
    SELECT trace_id, nodes, outer, parent, children, arrayFlatten(arrayMap((v,f,s,q)->[\
    bitShiftLeft(toUInt64(if(f>0,2*f-1,2*v)),32)+1,\
    bitShiftLeft(toUInt64(if(s>0,2*s-1,if(q>0,2*q,0))),32)+1],\
    ix,first_child,next_sibling,parent)) AS arcs FROM (%s)\
    """
        .formatted(inner);
  }

  /// The distance of every arc from the end of the list. Each step makes an entry point twice as
  /// far; entries of cycles never reach the end.
  private static String ranks(String inner) {
    return """
    SELECT trace_id, nodes, outer, parent, children, arrayFold((acc,i)->\
    arraySort(arrayFilter(y->y.1>0,arrayMap((y,f)->(y.2,if(y.1=1,y.3,f.3+bitAnd(y.3,4294967295))),\
    arraySort(arrayConcat(\
    arrayMap((z,j)->(toUInt64(j)*2,toUInt64(0),z),acc,arrayEnumerate(acc)),\
    arrayMap((z,j)->(bitShiftRight(z,32)*2+1,toUInt64(j),z),acc,arrayEnumerate(acc)))),\
    arrayFill(y->y.2=0,arraySort(arrayConcat(\
    arrayMap((z,j)->(toUInt64(j)*2,toUInt64(0),z),acc,arrayEnumerate(acc)),\
    arrayMap((z,j)->(bitShiftRight(z,32)*2+1,toUInt64(j),z),acc,arrayEnumerate(acc)))))))).2,\
    range(toUInt8(ceil(log2(length(arcs)+1)))),arcs) AS ranked FROM (%s)\
    """
        .formatted(inner);
  }

  private static String positions(String inner) {
    return """
    SELECT trace_id, nodes, outer, parent, children, \
    arrayMax(arrayMap(z->if(z<4294967296,z,0),ranked)) AS total, \
    arrayMap(z->if(z<4294967296,toUInt32(total-z+1),0),ranked) AS numbers, \
    arrayFilter((x,i)->i%%2=1,numbers,arrayEnumerate(numbers)) AS l, \
    arrayFilter((x,i)->i%%2=0,numbers,arrayEnumerate(numbers)) AS r FROM (%s)\
    """
        .formatted(inner);
  }

  private static String parentNumbers(String inner) {
    return """
    SELECT trace_id, nodes, l, r, children, arraySort(arrayFilter(y->y.1>0,\
    arrayMap((y,f)->(y.2,if(y.1=0,y.3,f.3)),numbered,arrayFill(y->y.2=0,numbered)))).2 AS p, \
    arrayMax(arrayMap((x,y)->if(y=-1,x,0),r,p)) AS last_rooted \
    FROM (SELECT trace_id, nodes, l, r, children, arraySort(arrayConcat(\
    arrayMap((x,i)->(toUInt32(i),toUInt32(0),toInt32(x)),l,arrayEnumerate(l)),\
    arrayMap((q,i,o,x)->(toUInt32(q),toUInt32(i),toInt32(if(q=0 AND o=0 AND x>0,-1,0))),\
    parent,arrayEnumerate(l),outer,l))) AS numbered FROM (%s))\
    """
        .formatted(inner);
  }

  private static String rows(String inner) {
    return """
    SELECT trace_id AS tree_trace, id AS tree_span, if(rooted,lft,0) AS tree_left, \
    if(rooted,rgt,0) AS tree_right, if(rooted,prt,0) AS tree_parent, cnt AS tree_children \
    FROM (SELECT trace_id, id, lft, rgt, prt, cnt, lft>0 AND lft<=last_rooted AS rooted \
    FROM (%s) ARRAY JOIN nodes AS id, l AS lft, r AS rgt, p AS prt, children AS cnt)\
    """
        .formatted(inner);
  }

  /// Makes a column of an expression and names it.
  @FunctionalInterface
  interface NewColumn {
    String of(String expression);
  }

  /// The set that `operator` gives of two columns of spans with `l`, `r` and `p`.
  static String operate(StructuralOperator operator, String left, String right, NewColumn columns) {
    String forward =
        related(operator.relation(), left, right, operator.form() != Form.NEGATED, columns);
    if (operator.form() != Form.UNION) {
      return forward;
    }
    String backward = related(operator.relation().inverse(), right, left, true, columns);
    return columns.of("arrayDistinct(arrayConcat(" + forward + "," + backward + "))");
  }

  /// The spans of `b` that are `relation` of some span of `a`, or those that are not. Both sides'
  /// numbers are merged in one sorted array, in which each span of `b` looks at what stands before
  /// it.
  private static String related(
      Relation relation, String a, String b, boolean wanted, NewColumn columns) {
    return switch (relation) {
      case CHILD -> byKey(a, "if(y.l=0,-6,toInt64(y.l)*2)", b, "e.p", wanted, columns);
      case PARENT -> byKey(a, "if(y.p<=0,-6,toInt64(y.p)*2)", b, "e.l", wanted, columns);
      case DESCENDANT -> descendants(a, b, wanted, columns);
      case ANCESTOR -> ancestors(a, b, wanted, columns);
      case SIBLING -> siblings(a, b, wanted, columns);
    };
  }

  private static String byKey(
      String a, String keyOfA, String b, String keyOfB, boolean wanted, NewColumn columns) {
    String events =
        columns.of(
            "arraySort(arrayConcat(arrayMap(y->%s,%s),arrayMap(e->toInt64(%s)*2+1,%s)))"
                .formatted(keyOfA, a, keyOfB, b));
    return columns.of(
        """
        arrayFilter((e,m)->m=%1$d,arraySort(e->%2$s,%3$s),arrayFilter((m,k)->k%%2!=0,\
        arrayMap((k,g)->g=k-1,%4$s,arrayFill(k->k%%2=0,%4$s)),%4$s))\
        """
            .formatted(wanted ? 1 : 0, keyOfB, b, events));
  }

  /// Counts the open intervals of `a` at the place of each span of `b`.
  private static String descendants(String a, String b, boolean wanted, NewColumn columns) {
    String events =
        columns.of(
            """
            arraySort(arrayConcat(arrayFlatten(arrayMap(y->[toInt64(y.l)*4+1,toInt64(y.r)*4+2],\
            arrayFilter(y->y.l>0,%s))),arrayMap(e->toInt64(e.l)*4,%s)))\
            """
                .formatted(a, b));
    return columns.of(
        """
        arrayFilter((e,c)->(c>0)=%1$d,arraySort(e->e.l,%2$s),arrayFilter((c,k)->k%%4=0,\
        arrayCumSum(k->if(k%%4=1,1,if(k%%4=2,-1,0)),%3$s),%3$s))\
        """
            .formatted(wanted ? 1 : 0, b, events));
  }

  /// A span of `b` is an ancestor if the next number of `a` after its own lies within it.
  private static String ancestors(String a, String b, boolean wanted, NewColumn columns) {
    String events =
        columns.of(
            """
            arraySort(arrayConcat(arrayMap(y->toInt64(y.l)*2,%s),arrayMap(e->toInt64(e.l)*2+1,%s)))\
            """
                .formatted(a, b));
    return columns.of(
        """
        arrayFilter((e,g)->(g%%2=0 AND intDiv(g,2)<e.r)=%1$d,arraySort(e->e.l,%2$s),\
        arrayFilter((g,k)->k%%2!=0,arrayReverseFill(k->k%%2=0,%3$s),%3$s))\
        """
            .formatted(wanted ? 1 : 0, b, events));
  }

  /// A sibling has the same parent and is another span: the least or the greatest number of `a`
  /// under that parent is not its own.
  private static String siblings(String a, String b, boolean wanted, NewColumn columns) {
    String greatest = siblingNumbers(a, b, "toInt64(y.l)", columns);
    String least = siblingNumbers(a, b, "-toInt64(y.l)", columns);
    return columns.of(
        """
        arrayFilter((e,mx,mn)->((mx!=-9999999999) AND (mx!=toInt64(e.l) OR -mn!=toInt64(e.l)))=%d,\
        arraySort(e->e.p,%s),%s,%s)\
        """
            .formatted(wanted ? 1 : 0, b, greatest, least));
  }

  private static String siblingNumbers(String a, String b, String number, NewColumn columns) {
    String events =
        columns.of(
            """
            arraySort(arrayConcat(arrayMap(y->(toInt64(y.p)*2,%s),%s),\
            arrayMap(e->(toInt64(e.p)*2+1,toInt64(0)),%s)))\
            """
                .formatted(number, a, b));
    return columns.of(
        """
        arrayFilter((g,k)->k.1%%2!=0,arrayMap((k,g)->if(g.1=k.1-1 AND k.1!=1,g.2,toInt64(-9999999999)),\
        %1$s,arrayFill(k->k.1%%2=0,%1$s)),%1$s)\
        """
            .formatted(events));
  }
}
