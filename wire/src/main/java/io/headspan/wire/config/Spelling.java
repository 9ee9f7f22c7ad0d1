package io.headspan.wire.config;

import java.util.Collection;
import java.util.Optional;

/// Finds what was probably meant by a misspelt key.
final class Spelling {
  private Spelling() {}

  /// The known key nearest to `text`, if it is near enough to be meant by it.
  static Optional<String> nearest(String text, Collection<String> known) {
    String best = null;
    int bestDistance = Math.max(2, text.length() / 4) + 1;
    for (String key : known) {
      int distance = distance(text, key);
      if (distance < bestDistance) {
        bestDistance = distance;
        best = key;
      }
    }
    return Optional.ofNullable(best);
  }

  /// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other
  /// (optimal string alignment).
  static int distance(String from, String to) {
    int[][] cost = new int[from.length() + 1][to.length() + 1];
    for (int i = 0; i <= from.length(); i++) {
      cost[i][0] = i;
    }
    for (int j = 0; j <= to.length(); j++) {
      cost[0][j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      for (int j = 1; j <= to.length(); j++) {
        int replaced = cost[i - 1][j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        cost[i][j] = Math.min(replaced, 1 + Math.min(cost[i - 1][j], cost[i][j - 1]));
        boolean swapped =
            i > 1
                && j > 1
                && from.charAt(i - 1) == to.charAt(j - 2)
                && from.charAt(i - 2) == to.charAt(j - 1);
        if (swapped) {
          cost[i][j] = Math.min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
      }
    }
    return cost[from.length()][to.length()];
  }
}
