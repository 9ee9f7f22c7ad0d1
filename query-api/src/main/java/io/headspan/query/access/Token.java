package io.headspan.query.access;

import java.util.List;

/// An entry of the file of tokens.
///
/// @param sha256 of the token, 64 hex digits; the token itself is nowhere
/// @param regions where it is good; everywhere if empty
/// @param requestsPerSecond how often it may ask, in the long run
record Token(Caller caller, String sha256, List<String> regions, double requestsPerSecond) {
  Token {
    regions = List.copyOf(regions);
  }

  boolean isGoodIn(String region) {
    return regions.isEmpty() || regions.contains(region);
  }
}
