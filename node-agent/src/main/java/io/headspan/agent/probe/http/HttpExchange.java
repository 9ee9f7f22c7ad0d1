package io.headspan.agent.probe.http;

import java.net.InetSocketAddress;

/// One request and its response, as seen at one socket by the HTTP probe. Times are CLOCK_MONOTONIC
/// nanoseconds, the clock of `bpf_ktime_get_ns` and `System.nanoTime`.
///
/// @param role whether the request came into this socket or left through it
/// @param socketCookie the kernel's cookie of the socket, unique until reboot
/// @param cgroupId id of the socket's cgroup in the v2 hierarchy (the inode of its directory)
/// @param local this socket's own address and port
/// @param remote the peer's address and port
/// @param headSequence TCP sequence number of the request's first byte; of HTTP/2, of the frame
///   that opened its stream
/// @param headNs when the first byte of the request passed
/// @param responseNs when the first byte of the final response passed; 0 if there was none
/// @param tailNs when the last byte of the response passed, or the exchange failed; if it is open,
///   when it was known to be so
/// @param requestHead the request's head up to and with the empty line, or its first bytes if
///   `headComplete` is false; nothing of its body. Of HTTP/2, what may be kept of it, in the form
///   of an HTTP/1.1 head
/// @param headComplete false if headers may be missing: the head was longer than the probe keeps
///   (16 KiB), or was answered before its end
/// @param status the final response's status code; 0 if there was none
/// @param responseBytes payload bytes from the response's first to its last; -1 for HTTP/2, whose
///   bodies are not looked at
/// @param end how the exchange ended
/// @param openAtHead for [Role#CLIENT]: how many server exchanges were open in the cgroup when the
///   request left, that is, their head had begun and their final response had not; connections
///   older than the probe do not count; -1 if not known
/// @param peerLocal for [Role#SERVER]: the peer's socket is on this node and its CLIENT exchange is
///   captured too
/// @param protocol what the connection spoke
/// @param grpcStatus status of a gRPC call; -1 if there was none, or it is no gRPC
public record HttpExchange(
    Role role,
    long socketCookie,
    long cgroupId,
    InetSocketAddress local,
    InetSocketAddress remote,
    int headSequence,
    long headNs,
    long responseNs,
    long tailNs,
    byte[] requestHead,
    boolean headComplete,
    int status,
    long responseBytes,
    End end,
    int openAtHead,
    boolean peerLocal,
    Protocol protocol,
    int grpcStatus) {
  private static final byte[] NOTHING = {};

  /// An exchange of HTTP/1.1.
  public HttpExchange(
      Role role,
      long socketCookie,
      long cgroupId,
      InetSocketAddress local,
      InetSocketAddress remote,
      int headSequence,
      long headNs,
      long responseNs,
      long tailNs,
      byte[] requestHead,
      boolean headComplete,
      int status,
      long responseBytes,
      End end,
      int openAtHead,
      boolean peerLocal) {
    this(
        role,
        socketCookie,
        cgroupId,
        local,
        remote,
        headSequence,
        headNs,
        responseNs,
        tailNs,
        requestHead,
        headComplete,
        status,
        responseBytes,
        end,
        openAtHead,
        peerLocal,
        Protocol.HTTP_1,
        -1);
  }

  /// The same without the bytes of its request's head, which may hold what is nobody's business.
  public HttpExchange withoutHead() {
    return new HttpExchange(
        role,
        socketCookie,
        cgroupId,
        local,
        remote,
        headSequence,
        headNs,
        responseNs,
        tailNs,
        NOTHING,
        headComplete,
        status,
        responseBytes,
        end,
        openAtHead,
        peerLocal,
        protocol,
        grpcStatus);
  }

  /// What a connection spoke.
  public enum Protocol {
    HTTP_1,
    /// HTTP/1.1 on a connection on which requests do not wait for the answer to the one before.
    HTTP_1_PIPELINED,
    HTTP_2,
    /// gRPC over HTTP/2.
    GRPC,
    /// Something else, of which it is only known who spoke when; a call. Its `requestHead` is the
    /// first bytes that the client sent on the connection, and there is no status.
    OTHER
  }

  /// Which side of the connection the socket is.
  public enum Role {
    /// The socket was accepted: its requests are invocations.
    SERVER,
    /// The socket was connected: its requests are calls out.
    CLIENT
  }

  /// How an exchange ended.
  public enum End {
    /// Not yet: the same exchange will be handed on again. It is the same if it is of the same
    /// socket and begins at the same sequence number.
    OPEN,
    /// The whole response passed.
    RESPONSE,
    /// The connection closed before the response was whole.
    CLOSED,
    /// The connection was reset before the response was whole; of HTTP/2, its stream.
    RESET
  }
}
