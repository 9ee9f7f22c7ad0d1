package io.headspan.storage;

import java.util.ArrayList;
import java.util.List;

/// A ClickHouse type as its name in a Native block: `Array(LowCardinality(String))` is name `Array`
/// with one argument. Tuple elements may have names, `Tuple(key String)`, kept in [#label].
///
/// @param label name of a tuple's element, else ""
/// @param name the type's name without arguments
/// @param arguments types, or literals such as `16` and `'UTC'`
record NativeType(String label, String name, List<NativeType> arguments) {
  static NativeType parse(String text) {
    Parser parser = new Parser(text);
    NativeType type = parser.type();
    if (parser.position != text.length()) {
      throw new IllegalArgumentException("type is not understood: type=" + text);
    }
    return type;
  }

  NativeType argument(int index) {
    return arguments.get(index);
  }

  private static final class Parser {
    private final String text;
    private int position;

    Parser(String text) {
      this.text = text;
    }

    /// `[label ]name[(argument, …)]`; an enum's `'name' = 1` becomes one literal.
    NativeType type() {
      String first = word();
      String label = "";
      if (at(' ') && position + 1 < text.length() && text.charAt(position + 1) != '=') {
        position++;
        label = unquoted(first);
        first = word();
      }
      if (text.startsWith(" = ", position)) {
        int start = position;
        position += 3;
        word();
        first += text.substring(start, position);
      }
      List<NativeType> arguments = new ArrayList<>();
      if (at('(')) {
        position++;
        while (!at(')')) {
          arguments.add(type());
          if (at(',')) {
            position++;
          }
          if (at(' ')) {
            position++;
          }
          if (position >= text.length()) {
            throw new IllegalArgumentException("type is not understood: type=" + text);
          }
        }
        position++;
      }
      return new NativeType(label, first, List.copyOf(arguments));
    }

    private String word() {
      int start = position;
      if (at('\'') || at('`')) {
        char quote = text.charAt(position++);
        while (position < text.length() && !at(quote)) {
          position += at('\\') ? 2 : 1;
        }
        position++;
      } else {
        while (position < text.length() && " ,()".indexOf(text.charAt(position)) < 0) {
          position++;
        }
      }
      if (position > text.length() || position == start) {
        throw new IllegalArgumentException("type is not understood: type=" + text);
      }
      return text.substring(start, position);
    }

    private boolean at(char c) {
      return position < text.length() && text.charAt(position) == c;
    }

    private static String unquoted(String word) {
      return word.startsWith("`") ? word.substring(1, word.length() - 1) : word;
    }
  }
}
