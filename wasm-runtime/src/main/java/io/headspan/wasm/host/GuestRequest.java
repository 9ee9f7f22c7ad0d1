package io.headspan.wasm.host;

import io.headspan.wire.TraceContext;
import java.util.Optional;

/// The request that a function answers.
///
/// @param path what follows the function's own path, always beginning with `/`
/// @param query without the `?`, "" if there is none
/// @param contentType of the body, "" if the caller gave none
/// @param context what the caller sent along, if it was valid
/// @param body the whole body; not written to by anyone
public record GuestRequest(
    String tenant,
    String function,
    String version,
    String method,
    String path,
    String query,
    String contentType,
    Optional<TraceContext> context,
    byte[] body) {

  /// The path that the function is reached at, without the part that it sees.
  String functionPath() {
    return "/functions/" + tenant + "/" + function;
  }
}
