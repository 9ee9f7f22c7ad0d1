package io.headspan.wasm.module;

import java.util.List;

/// What a function takes and gives.
public record Signature(List<ValueType> parameters, List<ValueType> results) {
  public Signature {
    parameters = List.copyOf(parameters);
    results = List.copyOf(results);
  }

  /// A signature in letters, parameters and results parted by `>`: `i` = i32, `l` = i64, `f` = f32,
  /// `d` = f64. So `"ili>i"` takes an i32, an i64 and an i32 and gives an i32.
  public static Signature of(String letters) {
    int arrow = letters.indexOf('>');
    if (arrow < 0) {
      throw new IllegalArgumentException("signature has no '>': signature=" + letters);
    }
    return new Signature(types(letters.substring(0, arrow)), types(letters.substring(arrow + 1)));
  }

  private static List<ValueType> types(String letters) {
    return letters.chars().mapToObj(Signature::type).toList();
  }

  private static ValueType type(int letter) {
    return switch (letter) {
      case 'i' -> ValueType.I32;
      case 'l' -> ValueType.I64;
      case 'f' -> ValueType.F32;
      case 'd' -> ValueType.F64;
      default ->
          throw new IllegalArgumentException(
              "no such value type in a signature: letter=" + (char) letter);
    };
  }

  @Override
  public String toString() {
    return parameters + " -> " + results;
  }
}
