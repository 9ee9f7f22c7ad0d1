package io.headspan.query.explain;

import io.headspan.query.http.Request;
import io.headspan.query.http.RequestException;
import io.headspan.query.traceql.TimeRange;
import java.util.Optional;

/// The parameters of a comparison: `service`, `tenant`, `from`, `to`, `baseline`.
record ComparisonRequest(
    String service, Optional<String> tenant, TimeRange range, Baseline baseline) {
  private static final String VERSION_PREFIX = "version:";

  static ComparisonRequest of(Request request) {
    String service =
        request
            .parameter("service")
            .orElseThrow(() -> RequestException.badRequest("parameter missing: service="));
    TimeRange range = request.exactRange("from", "to");
    return new ComparisonRequest(
        service, request.parameter("tenant"), range, baseline(request, range));
  }

  private static Baseline baseline(Request request, TimeRange range) {
    Optional<String> text = request.parameter("baseline").map(String::strip);
    if (text.isEmpty()) {
      long lengthNs = range.toNs() - range.fromNs();
      long fromNs = Math.max(0, range.fromNs() - lengthNs);
      return new Baseline.Before(new TimeRange(fromNs, Math.max(fromNs, range.fromNs() - 1)));
    }
    String given = text.get();
    if (given.startsWith(VERSION_PREFIX)) {
      return new Baseline.OfVersion(given.substring(VERSION_PREFIX.length()), range);
    }
    int slash = given.indexOf('/');
    return slash < 0
        ? new Baseline.OfVersion(given, range)
        : new Baseline.Chosen(
            Request.exactRange("baseline", given.substring(0, slash), given.substring(slash + 1)));
  }

  private Optional<String> baselineVersion() {
    return baseline instanceof Baseline.OfVersion of ? Optional.of(of.version()) : Optional.empty();
  }

  /// The invocations asked about.
  Scope now() {
    return new Scope(service, tenant, range, Optional.empty(), baselineVersion());
  }

  /// Those they are compared with: of the same tenant, told of by the same side.
  InvocationReader.Source before(InvocationReader.Source now) {
    return new InvocationReader.Source(
        new Scope(
            service, now.scope().tenant(), baseline.range(), baselineVersion(), Optional.empty()),
        now.ofSdk());
  }
}
