package io.headspan.loadgen.mixed;

/// One request of a mixed load, which follows from its number: the protocols take turns, and every
/// fifth request has the service call the one behind it, in each protocol in turn.
///
/// @param number from 0 on
record MixedRequest(long number) {
  private static final int CALLS_ON_EVERY = 5;

  Protocol protocol() {
    return at(number);
  }

  boolean callsOn() {
    return number % CALLS_ON_EVERY == 0;
  }

  /// In which protocol the service calls on, by its label; empty if it does not.
  String next() {
    return callsOn() ? at(number / CALLS_ON_EVERY).label() : "";
  }

  /// The lower half of its trace id, and the id of the span that its header names.
  long id() {
    return number + 1;
  }

  static MixedRequest ofId(long id) {
    return new MixedRequest(id - 1);
  }

  /// @param tracePrefix the upper half of its trace id, in hex
  String traceparent(String tracePrefix) {
    String id = "%016x".formatted(id());
    return "00-" + tracePrefix + id + "-" + id + "-01";
  }

  private static Protocol at(long turn) {
    Protocol[] all = Protocol.values();
    return all[(int) (turn % all.length)];
  }
}
