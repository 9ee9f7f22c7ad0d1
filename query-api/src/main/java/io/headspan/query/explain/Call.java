package io.headspan.query.explain;

import org.jspecify.annotations.Nullable;

/// A call that an invocation made.
///
/// @param service who was called: the service that served it, else the database system or the
///   address
/// @param operation what was called
/// @param failed whether it ended in an error
/// @param error the error's type; "" if it did not fail or nothing more is known
/// @param callee the invocation that served it while the caller waited; null if none is known
record Call(
    String service,
    String operation,
    long startNs,
    long endNs,
    boolean failed,
    String error,
    @Nullable Invocation callee) {
  long durationNs() {
    return endNs - startNs;
  }

  Call servedBy(Invocation invocation) {
    return new Call(service, operation, startNs, endNs, failed, error, invocation);
  }

  boolean sameTarget(Call other) {
    return service.equals(other.service) && operation.equals(other.operation);
  }
}
