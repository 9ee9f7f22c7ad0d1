package io.headspan.agent.export;

/// The status codes of gRPC, in their order
/// (<https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>), and which of them are a span's
/// error by the semantic conventions for gRPC: of a client all but OK, of a server those that are
/// the server's fault.
enum GrpcStatus {
  OK(false),
  CANCELLED(false),
  UNKNOWN(true),
  INVALID_ARGUMENT(false),
  DEADLINE_EXCEEDED(true),
  NOT_FOUND(false),
  ALREADY_EXISTS(false),
  PERMISSION_DENIED(false),
  RESOURCE_EXHAUSTED(false),
  FAILED_PRECONDITION(false),
  ABORTED(false),
  OUT_OF_RANGE(false),
  UNIMPLEMENTED(true),
  INTERNAL(true),
  UNAVAILABLE(true),
  DATA_LOSS(true),
  UNAUTHENTICATED(false);

  private static final GrpcStatus[] CODES = values();

  private final boolean serverError;

  GrpcStatus(boolean serverError) {
    this.serverError = serverError;
  }

  /// What a code means; one that is none is UNKNOWN, as the specification has it.
  static GrpcStatus of(int code) {
    return code >= 0 && code < CODES.length ? CODES[code] : UNKNOWN;
  }

  boolean isError(boolean server) {
    return server ? serverError : this != OK;
  }
}
