package io.headspan.query.traceql;

/// How spans on the right must lie to spans on the left. The plain and the negated form give the
/// right side's spans, the union form those of both sides.
///
/// @param relation what the right side is to the left side
/// @param form which spans the operator gives
public record StructuralOperator(Relation relation, Form form) {
  /// What a span on the right is to one on the left.
  public enum Relation {
    CHILD(">"),
    PARENT("<"),
    DESCENDANT(">>"),
    ANCESTOR("<<"),
    SIBLING("~");

    private final String symbol;

    Relation(String symbol) {
      this.symbol = symbol;
    }

    /// What the left side is to the right side.
    Relation inverse() {
      return switch (this) {
        case CHILD -> PARENT;
        case PARENT -> CHILD;
        case DESCENDANT -> ANCESTOR;
        case ANCESTOR -> DESCENDANT;
        case SIBLING -> SIBLING;
      };
    }
  }

  /// Which spans the operator gives.
  public enum Form {
    PLAIN(""),
    NEGATED("!"),
    UNION("&");

    private final String prefix;

    Form(String prefix) {
      this.prefix = prefix;
    }
  }

  String symbol() {
    return form.prefix + relation.symbol;
  }
}
