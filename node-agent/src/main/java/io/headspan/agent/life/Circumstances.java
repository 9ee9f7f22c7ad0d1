package io.headspan.agent.life;

import org.jspecify.annotations.Nullable;

/// What an instance's beginning or end has to do with one of its exchanges.
///
/// @param coldStartNs from the instance's beginning to the first response, if this is the first
///   one; else 0
/// @param death why the process at this end of the connection died, if that ended the exchange: see
///   [Deaths]
public record Circumstances(long coldStartNs, @Nullable String death) {
  /// Neither began nor ended anything with it.
  public static final Circumstances ORDINARY = new Circumstances(0, null);
}
