package io.headspan.query.explain;

/// A call that an invocation made.
///
/// @param service who was called: the service that served it, else the database system or the
///   address
/// @param operation what was called
/// @param failed whether it ended in an error
record Call(String service, String operation, long startNs, long endNs, boolean failed) {
  boolean sameTarget(Call other) {
    return service.equals(other.service) && operation.equals(other.operation);
  }
}
