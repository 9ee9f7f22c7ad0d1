package io.headspan.query.access;

import java.nio.file.Path;
import java.util.Optional;

/// Who may ask, and what is written down of it.
///
/// @param tokens file of tokens; without one everybody on this machine is an operator
/// @param region where this query API is, for tokens that are good in some regions only; "" if
///   nowhere in particular
/// @param audit file to write down in what was asked
public record AccessSettings(Optional<Path> tokens, String region, Optional<Path> audit) {
  /// Everybody may ask, and nothing is written down.
  public static final AccessSettings OPEN =
      new AccessSettings(Optional.empty(), "", Optional.empty());
}
