package io.headspan.query.http;

import com.linecorp.armeria.common.HttpStatus;
import java.io.Serial;

/// A request that gets an error for an answer. The message is for the caller.
public final class RequestException extends RuntimeException {
  @Serial private static final long serialVersionUID = 1;

  private final transient HttpStatus status;

  public RequestException(HttpStatus status, String message) {
    super(message);
    this.status = status;
  }

  /// A 400.
  public static RequestException badRequest(String message) {
    return new RequestException(HttpStatus.BAD_REQUEST, message);
  }

  /// The status of the answer.
  public HttpStatus status() {
    return status;
  }
}
