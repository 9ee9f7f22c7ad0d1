package io.headspan.query.slo;

/// What was promised of a function: that so many of its invocations are good.
///
/// @param name of the promise, such as `checkout`
/// @param kind what makes an invocation bad
/// @param function `service.name`
/// @param tenant whose function; "" for anybody's
/// @param withinNs of kind LATENCY, what a good invocation takes at most; else 0
/// @param good the share of good invocations that was promised, in (0, 1)
record Objective(
    String name, Kind kind, String function, String tenant, long withinNs, double good) {
  enum Kind {
    LATENCY("latency"),
    ERRORS("errors");

    final String label;

    Kind(String label) {
      this.label = label;
    }
  }

  /// The share of invocations that may be bad.
  double budget() {
    return 1 - good;
  }

  /// TraceQL that counts all invocations.
  String all() {
    return "{ " + invocations() + " }";
  }

  /// TraceQL that finds the bad ones.
  String bad() {
    return switch (kind) {
      case LATENCY -> "{ " + invocations() + " && duration > " + withinNs + "ns }";
      case ERRORS -> "{ " + invocations() + " && status = error }";
    };
  }

  /// TraceQL for the share of bad invocations in a range; nothing if there was none.
  String badShare() {
    return "(" + bad() + " | count_over_time()) / (" + all() + " | count_over_time())";
  }

  private String invocations() {
    String of = "kind = server && resource.service.name = " + quoted(function);
    return tenant.isEmpty() ? of : of + " && resource.headspan.tenant = " + quoted(tenant);
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
