package io.headspan.wasm.host;

import java.security.SecureRandom;
import java.time.Clock;

/// Makes the invocations of one worker thread.
public final class InvocationSource {
  private final Clock clock;
  private final int responseBytesMax;
  private final GuestRandom.Keys keys;

  /// @param clock what guests read as the time of day
  public InvocationSource(Clock clock, SecureRandom random, int responseBytesMax) {
    this.clock = clock;
    this.responseBytesMax = responseBytesMax;
    this.keys = new GuestRandom.Keys(random);
  }

  public Invocation open(GuestRequest request) {
    return new Invocation(request, clock, keys.next(), responseBytesMax);
  }
}
