package io.headspan.query.explain;

import io.headspan.query.traceql.TimeRange;
import java.util.Optional;

/// Which invocations are meant.
///
/// @param service the function
/// @param tenant whose; of any tenant if absent
/// @param version of this version only; of any if absent
/// @param otherThan of any version but this
record Scope(
    String service,
    Optional<String> tenant,
    TimeRange range,
    Optional<String> version,
    Optional<String> otherThan) {
  Scope ofTenant(String only) {
    return new Scope(service, Optional.of(only), range, version, otherThan);
  }
}
