package io.headspan.storage;

import java.util.List;

/// What was decided about a trace, and what it was decided on. Times are ns since 1970, but those
/// of arrival ms.
///
/// @param again whether it was kept before: what is not copied yet is to be
/// @param policies that kept it
/// @param threshold a trace like it is kept if its randomness, of 56 bits, is not below; 0 if all
///   are; [#UNKNOWN] or [#PINNED]
/// @param rows how many rows there were of it
/// @param lastMillis when the last of them had arrived, by the store's clock
public record Decision(
    long traceIdHigh,
    long traceIdLow,
    boolean kept,
    boolean again,
    List<String> policies,
    long threshold,
    long rows,
    long lastMillis,
    long startNs,
    long endNs,
    String rootService,
    String rootOperation) {
  /// The threshold of a decision that has no probability: its spans count once.
  public static final long UNKNOWN = -1;

  /// The threshold of a trace that was kept by hand, or for a link, beside what others stand for:
  /// its spans do not count.
  public static final long PINNED = -2;

  /// The threshold that keeps nothing.
  public static final long LIMIT = 1L << 56;

  public Decision {
    policies = List.copyOf(policies);
  }
}
