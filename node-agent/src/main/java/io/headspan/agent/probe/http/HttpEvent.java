package io.headspan.agent.probe.http;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// A record of the HTTP probe, copied out of its ring. Sequence numbers are 32 bits and wrap.
sealed interface HttpEvent {
  /// What became of the connection when the record was written.
  enum ConnectionEnd {
    NONE,
    CLOSED,
    RESET,
    /// It goes on, but the probe does not follow it any more.
    LEFT
  }

  long cookie();

  int exchange();

  /// Reads a record of any kind.
  ///
  /// @throws IllegalArgumentException if it is none that this version knows
  static HttpEvent decode(MemorySegment sample) {
    int kind = sample.get(JAVA_INT, 0);
    return switch (kind) {
      case HttpExchangeEventLayout.KIND -> HttpExchangeEventLayout.decode(sample);
      case HttpTailEventLayout.KIND -> HttpTailEventLayout.decode(sample);
      case HttpHeadPartEventLayout.KIND -> HttpHeadPartEventLayout.decode(sample);
      default ->
          throw new IllegalArgumentException(
              "unknown record: kind=" + kind + ", sizeBytes=" + sample.byteSize());
    };
  }

  /// A request and the beginning of its response; of a connection that ended without response if
  /// `end` is not NONE.
  ///
  /// @param exchange number on the connection, from 1
  /// @param responseNs 0 if there was no response
  /// @param lastNs when the last byte of the response so far passed
  /// @param endNs when the connection ended, or 0
  /// @param responseBytes from the response's first byte to the last one seen
  /// @param lastBytes the last 8 of them, the very last in the highest place, if there are more
  ///   than `response` can hold
  /// @param headSequence of the request's first byte
  /// @param requestNext behind the last byte seen from the requesting side
  /// @param openAtHead -1 if not known
  /// @param headParts how many [HeadPart]s belong to it
  /// @param hasGap bytes of the response are missing before the last one seen
  /// @param response the response's first bytes, without a gap
  /// @param head the request's first bytes, without a gap
  record Exchange(
      long cookie,
      int exchange,
      long cgroupId,
      HttpExchange.Role role,
      InetSocketAddress local,
      InetSocketAddress remote,
      long headNs,
      long responseNs,
      long lastNs,
      long endNs,
      long responseBytes,
      long lastBytes,
      int headSequence,
      int requestNext,
      int openAtHead,
      int headParts,
      ConnectionEnd end,
      boolean peerLocal,
      boolean hasGap,
      byte[] response,
      byte[] head)
      implements HttpEvent {}

  /// What came of a response after its [Exchange].
  ///
  /// @param lastBytes as in [Exchange]
  /// @param response the response's first bytes if there are more of them than before; null if not
  record Tail(
      long cookie,
      int exchange,
      long lastNs,
      long endNs,
      long responseBytes,
      long lastBytes,
      ConnectionEnd end,
      boolean hasGap,
      byte @Nullable [] response)
      implements HttpEvent {}

  /// Bytes of a request behind those that its [Exchange] carries; comes before it.
  record HeadPart(long cookie, int exchange, int offset, byte[] bytes) implements HttpEvent {}
}
