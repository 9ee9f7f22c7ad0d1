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
    LEFT,
    /// It goes on in a transcript.
    TRANSCRIBED
  }

  /// Which way bytes went.
  enum Direction {
    FROM_CLIENT,
    FROM_SERVER
  }

  long cookie();

  /// Reads a record of any kind.
  ///
  /// @throws IllegalArgumentException if it is none that this version knows
  static HttpEvent decode(MemorySegment sample) {
    int kind = sample.get(JAVA_INT, 0);
    return switch (kind) {
      case HttpExchangeEventLayout.KIND -> HttpExchangeEventLayout.decode(sample);
      case HttpExchangeEventLayout.KIND_TURN -> new Turn(HttpExchangeEventLayout.decode(sample));
      case HttpTailEventLayout.KIND -> HttpTailEventLayout.decode(sample);
      case HttpHeadPartEventLayout.KIND -> HttpHeadPartEventLayout.decode(sample);
      case HttpTranscriptEventLayout.KIND -> HttpTranscriptEventLayout.decode(sample);
      case HttpBytesEventLayout.KIND -> HttpBytesEventLayout.decode(sample);
      case HttpTranscriptEndEventLayout.KIND -> HttpTranscriptEndEventLayout.decode(sample);
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

  /// A request and its response on a connection that is no HTTP.
  ///
  /// @param turn as of HTTP, but that its head is the first bytes that the client sent on this
  ///   connection, and it has no bytes of the response
  record Turn(Exchange turn) implements HttpEvent {
    @Override
    public long cookie() {
      return turn.cookie();
    }
  }

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

  /// From here on a connection is read from its bytes: it speaks HTTP/2, or HTTP/1.1 with requests
  /// that do not wait for the answer to the one before.
  ///
  /// @param exchange number of the HTTP/1.1 exchange that led to it, or 0; if it is pipelined, of
  ///   the one that it begins with
  /// @param clientSequence of the first byte from the client
  /// @param serverSequence of the first byte from the server
  /// @param pipelined whether it speaks HTTP/1.1
  record Transcript(
      long cookie,
      int exchange,
      long cgroupId,
      long timeNs,
      HttpExchange.Role role,
      InetSocketAddress local,
      InetSocketAddress remote,
      int clientSequence,
      int serverSequence,
      boolean peerLocal,
      boolean pipelined)
      implements HttpEvent {}

  /// Bytes of a [Transcript].
  ///
  /// @param timeNs when the packet with the first of them passed
  /// @param openAtHead as in [Exchange]
  /// @param fromSequence nothing that matters is between this number and `sequence`; frames begin
  ///   at both unless they are equal
  /// @param sequence of the first byte
  /// @param untilSequence bytes of this direction up to here had passed
  /// @param raw whether these are the bytes as they passed; if not, the payload of DATA frames is
  ///   left out
  record Bytes(
      long cookie,
      Direction direction,
      long timeNs,
      int openAtHead,
      int fromSequence,
      int sequence,
      int untilSequence,
      boolean raw,
      byte[] bytes)
      implements HttpEvent {}

  /// The end of a [Transcript].
  record TranscriptEnd(long cookie, ConnectionEnd end, long endNs) implements HttpEvent {}
}
