package io.headspan.wire.signal;

/// How a collector says UNAVAILABLE of a batch or report that waits for one region's store while
/// another's is there: the sender is to send it again, and has no reason to hold back others
/// meanwhile, because those of other tenants can be stored.
public final class RegionAway {
  /// The beginning of the message.
  public static final String PREFIX = "region away: ";

  private RegionAway() {}

  /// Whether a message of UNAVAILABLE says so.
  public static boolean isSaidBy(String message) {
    return message.startsWith(PREFIX);
  }
}
