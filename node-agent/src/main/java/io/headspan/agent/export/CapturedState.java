package io.headspan.agent.export;

import java.util.Arrays;
import java.util.stream.Collectors;

/// The tracestate of spans that an agent captures.
///
/// A sampler before us says by the entry `th` of the member `ot` that what it let through stands
/// for several (OTEP 235). An agent captures what the sampler did not let through as well, so its
/// spans stand for themselves alone and the entry is no part of them.
final class CapturedState {
  private static final String MEMBER = "ot=";
  private static final String ENTRY = "th:";

  private CapturedState() {}

  /// `traceState` without the entry; the same text if it has none.
  static String of(String traceState) {
    return traceState.contains(ENTRY)
        ? Arrays.stream(traceState.split(",", -1))
            .map(CapturedState::member)
            .filter(member -> !member.isBlank())
            .collect(Collectors.joining(","))
        : traceState;
  }

  private static String member(String member) {
    String trimmed = member.strip();
    if (!trimmed.startsWith(MEMBER)) {
      return member;
    }
    String entries =
        Arrays.stream(trimmed.substring(MEMBER.length()).split(";", -1))
            .filter(entry -> !entry.startsWith(ENTRY))
            .collect(Collectors.joining(";"));
    return entries.isEmpty() ? "" : MEMBER + entries;
  }
}
