package io.headspan.loadgen.mixed;

/// The spans found of a mixed load against those that there have to be. Of each request: an
/// invocation of the first service, whose parent is the span that the request's header names; and
/// if that service calls on, the call below it, and below that the invocation of the second
/// service.
public final class MixedTrees {
  private static final int SERVER = 2;
  private static final int CLIENT = 3;

  private final String first;
  private final String second;
  private final int requests;

  /// Span ids by request, 0 if not found.
  private final long[] invocations;

  private final long[] calls;
  private final long[] callsParents;
  private final long[] secondInvocations;
  private final long[] secondParents;
  private final long[] parents;

  private long unexpected;

  /// What was found.
  ///
  /// @param expected spans that there have to be
  /// @param found of these
  /// @param wrongParents of those found; below a span that was not found, the one above it is right
  /// @param unexpected spans that there must not be: a second one for the same, or none of these
  public record Outcome(long expected, long found, long wrongParents, long unexpected) {}

  /// Nothing is found yet.
  ///
  /// @param first name of the service that the load goes to
  /// @param second name of the one behind it
  public MixedTrees(String first, String second, int requests) {
    this.first = first;
    this.second = second;
    this.requests = requests;
    invocations = new long[requests];
    parents = new long[requests];
    calls = new long[requests];
    callsParents = new long[requests];
    secondInvocations = new long[requests];
    secondParents = new long[requests];
  }

  /// Takes a span found.
  ///
  /// @param traceIdLow lower half of its trace id
  /// @param kind as OTLP numbers them
  public void add(long traceIdLow, long spanId, long parentSpanId, int kind, String service) {
    MixedRequest request = MixedRequest.ofId(traceIdLow);
    if (request.number() < 0 || request.number() >= requests) {
      unexpected++;
      return;
    }
    int number = (int) request.number();
    if (kind == SERVER && service.equals(first)) {
      put(invocations, parents, number, spanId, parentSpanId);
    } else if (kind == CLIENT && service.equals(first) && request.callsOn()) {
      put(calls, callsParents, number, spanId, parentSpanId);
    } else if (kind == SERVER && service.equals(second) && request.callsOn()) {
      put(secondInvocations, secondParents, number, spanId, parentSpanId);
    } else {
      unexpected++;
    }
  }

  private void put(long[] ids, long[] parentIds, int number, long spanId, long parentSpanId) {
    if (ids[number] != 0) {
      unexpected++;
    }
    ids[number] = spanId;
    parentIds[number] = parentSpanId;
  }

  /// What all spans taken so far are worth.
  public Outcome outcome() {
    long expected = 0;
    long found = 0;
    long wrong = 0;
    for (int number = 0; number < requests; number++) {
      MixedRequest request = new MixedRequest(number);
      expected += request.callsOn() ? 3 : 1;
      if (invocations[number] != 0) {
        found++;
        wrong += parents[number] == request.id() ? 0 : 1;
      }
      // Of a span that was not found, those below may hang at the one above it.
      long above = request.id();
      above = invocations[number] == 0 ? above : invocations[number];
      if (calls[number] != 0) {
        found++;
        wrong += callsParents[number] == above ? 0 : 1;
      }
      above = calls[number] == 0 ? above : calls[number];
      if (secondInvocations[number] != 0) {
        found++;
        wrong += secondParents[number] == above ? 0 : 1;
      }
    }
    return new Outcome(expected, found, wrong, unexpected);
  }
}
