package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.Http1Messages.Body;
import io.headspan.agent.probe.http.Http1Messages.Head;
import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Protocol;
import io.headspan.agent.probe.http.HttpExchange.Role;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Makes exchanges of an HTTP/1.1 connection whose requests do not wait for the answer to the one
/// before. A server answers in the order of the requests (RFC 9112, section 9.3.2), so the first
/// request without an answer is the one that a response belongs to. An answer without a request, or
/// bytes that are no message, make the connection unreadable.
final class Http1Connection implements TranscribedConnection, Http1Messages.Receiver {
  private static final int KEPT_HEAD_BYTES_MAX = 16 * 1024;
  private static final int REQUESTS_MAX = 1 << 14;
  private static final int INTERIM_MAX = 199;
  private static final int SWITCHING_PROTOCOLS = 101;
  private static final byte[] VERSION = " HTTP/1.".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] STATUS_LINE = "HTTP/1.".getBytes(StandardCharsets.US_ASCII);

  private final HttpEvent.Transcript transcript;
  private final Http1Messages requests = new Http1Messages(Direction.FROM_CLIENT, this);
  private final Http1Messages responses = new Http1Messages(Direction.FROM_SERVER, this);
  private final OrderedBytes client;
  private final OrderedBytes server;

  /// Without an answer, or with a part of it; oldest first.
  private final Deque<Request> open = new ArrayDeque<>();

  /// From the server, to be read before all others.
  private HttpEvent.@Nullable Bytes before;

  private boolean tunnel;
  private @Nullable Consumer<HttpExchange> sink;

  /// A request whose response has not ended.
  private static final class Request {
    final int sequence;
    final long headNs;
    final int openAtHead;
    final byte[] head;
    final boolean headComplete;
    final String method;
    final boolean pipelined;
    long responseNs;
    int status;

    Request(
        int sequence,
        long headNs,
        int openAtHead,
        byte[] head,
        boolean headComplete,
        boolean pipelined) {
      this.sequence = sequence;
      this.headNs = headNs;
      this.openAtHead = openAtHead;
      this.head = head;
      this.headComplete = headComplete;
      this.method = ResponseHead.method(head);
      this.pipelined = pipelined;
    }
  }

  Http1Connection(HttpEvent.Transcript transcript) {
    this.transcript = transcript;
    client = new OrderedBytes(transcript.clientSequence(), requests);
    server = new OrderedBytes(transcript.serverSequence(), responses);
  }

  /// A request that was seen before, within whose answer a transcript begins.
  ///
  /// @param kept the answer's bytes that have passed, if all of them are here; else none
  /// @param status of the answer, if its bytes are not here
  /// @param responseBytes how many of its bytes have passed
  /// @param left how many have not, if its bytes are not here
  record Answered(
      HttpEvent.Exchange request,
      byte[] head,
      boolean headComplete,
      byte[] kept,
      int status,
      long responseBytes,
      long left) {}

  /// Begins within the answer to `answered`.
  Http1Connection(HttpEvent.Transcript transcript, Answered answered) {
    this.transcript = transcript;
    client = new OrderedBytes(transcript.clientSequence(), requests);
    HttpEvent.Exchange seen = answered.request();
    Request request =
        new Request(
            seen.headSequence(),
            seen.headNs(),
            seen.openAtHead(),
            answered.head(),
            answered.headComplete(),
            false);
    open.add(request);
    byte[] kept = answered.kept();
    int sequence = transcript.serverSequence() - kept.length;
    server = new OrderedBytes(sequence, responses);
    if (kept.length > 0) {
      before =
          new HttpEvent.Bytes(
              transcript.cookie(),
              Direction.FROM_SERVER,
              seen.responseNs(),
              -1,
              sequence,
              sequence,
              transcript.serverSequence(),
              true,
              kept);
    } else {
      request.responseNs = seen.responseNs();
      request.status = answered.status();
      responses.beginInBody(answered.responseBytes(), answered.left());
    }
  }

  @Override
  public long cookie() {
    return transcript.cookie();
  }

  @Override
  public void accept(HttpEvent.Bytes bytes, Consumer<HttpExchange> sink) throws Unreadable {
    this.sink = sink;
    HttpEvent.Bytes first = before;
    if (first != null) {
      before = null;
      server.accept(first);
    }
    ordered(bytes.direction()).accept(bytes);
  }

  @Override
  public Body onHead(Direction direction, Head head) throws Unreadable {
    return switch (direction) {
      case FROM_CLIENT -> onRequest(head);
      case FROM_SERVER -> onResponse(head);
    };
  }

  private Body onRequest(Head head) throws Unreadable {
    if (!isRequest(head.bytes()) || open.size() == REQUESTS_MAX) {
      throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
    }
    boolean complete = head.bytes().length <= KEPT_HEAD_BYTES_MAX;
    open.add(
        new Request(
            head.sequence(),
            head.timeNs(),
            head.openAtHead(),
            complete ? head.bytes() : Arrays.copyOf(head.bytes(), KEPT_HEAD_BYTES_MAX),
            complete,
            true));
    if (head.framing().chunked()) {
      return Body.CHUNKED;
    }
    return new Body(Math.max(head.framing().bodyLength(), 0));
  }

  private Body onResponse(Head head) throws Unreadable {
    Request request = open.peek();
    ResponseHead response = ResponseHead.parse(head.bytes());
    int status = response.status();
    if (request == null || status < 100 || !startsWith(head.bytes(), STATUS_LINE)) {
      throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
    }
    if (status <= INTERIM_MAX && status != SWITCHING_PROTOCOLS) {
      return Body.NONE;
    }
    request.responseNs = head.timeNs();
    request.status = status;
    // What follows is no HTTP.
    tunnel = status == SWITCHING_PROTOCOLS || (request.method.equals("CONNECT") && status < 300);
    if (response.isBodiless(request.method)) {
      return Body.NONE;
    }
    if (head.framing().chunked()) {
      return Body.CHUNKED;
    }
    return head.framing().bodyLength() < 0
        ? Body.UP_TO_THE_END
        : new Body(head.framing().bodyLength());
  }

  @Override
  public void onEnd(Direction direction, long length, long timeNs) throws Unreadable {
    if (direction == Direction.FROM_CLIENT) {
      return;
    }
    Request request = open.peek();
    if (request == null || request.responseNs == 0) {
      return; // An interim response.
    }
    open.remove();
    report(request, End.RESPONSE, timeNs, length);
    if (tunnel) {
      throw new Unreadable(HttpCounter.PIPELINE_UNREADABLE);
    }
  }

  @Override
  public void end(End end, long endNs, Consumer<HttpExchange> sink) throws Unreadable {
    this.sink = sink;
    // How they ended, or that there were any, may be in the bytes that nobody can read.
    if (client.isWaiting() || (server.isWaiting() && !open.isEmpty())) {
      throw new Unreadable(HttpCounter.PIPELINE_BYTES_MISSING);
    }
    for (Request request : open) {
      boolean answered = request.responseNs != 0;
      boolean whole = answered && responses.isUpToTheEnd() && end == End.CLOSED;
      report(request, whole ? End.RESPONSE : end, endNs, answered ? responses.length() : 0);
    }
    open.clear();
  }

  @Override
  public void reportOpen(long bornNs, long nowNs, Consumer<HttpExchange> sink) {
    this.sink = sink;
    for (Request request : List.copyOf(new ArrayList<>(open))) {
      if (request.headNs - bornNs <= 0) {
        report(request, End.OPEN, nowNs, request.responseNs == 0 ? 0 : responses.length());
      }
    }
  }

  @Override
  public int openRequests() {
    return open.size();
  }

  @Override
  public int takeLost() {
    return 0;
  }

  @Override
  public HttpCounter lostRequests() {
    return HttpCounter.PIPELINED;
  }

  @Override
  public boolean isRaw(Direction direction) {
    return true;
  }

  @Override
  public @Nullable ResumePoint resumePoint(Direction direction) {
    OrderedBytes ordered = ordered(direction);
    return ordered.skips() ? new ResumePoint(ordered.position(), null) : null;
  }

  @Override
  public void checkPatience(Direction direction, long nowNs) throws Unreadable {
    ordered(direction).checkPatience(nowNs);
  }

  private void report(Request request, End end, long tailNs, long responseBytes) {
    Consumer<HttpExchange> to = sink;
    if (to == null) {
      return;
    }
    to.accept(
        new HttpExchange(
            transcript.role(),
            transcript.cookie(),
            transcript.cgroupId(),
            transcript.local(),
            transcript.remote(),
            request.sequence,
            request.headNs,
            request.responseNs,
            Math.max(Math.max(tailNs, request.responseNs), request.headNs),
            request.head,
            request.headComplete,
            request.status,
            responseBytes,
            end,
            transcript.role() == Role.CLIENT ? request.openAtHead : -1,
            transcript.peerLocal(),
            request.pipelined ? Protocol.HTTP_1_PIPELINED : Protocol.HTTP_1,
            -1));
  }

  private OrderedBytes ordered(Direction direction) {
    return switch (direction) {
      case FROM_CLIENT -> client;
      case FROM_SERVER -> server;
    };
  }

  /// Whether the first line ends with a version of HTTP/1.
  private static boolean isRequest(byte[] head) {
    int end = 0;
    while (end < head.length && head[end] != '\r' && head[end] != '\n') {
      end++;
    }
    int at = end - VERSION.length - 1;
    return at > 0 && Arrays.equals(head, at, at + VERSION.length, VERSION, 0, VERSION.length);
  }

  private static boolean startsWith(byte[] bytes, byte[] text) {
    return bytes.length >= text.length
        && Arrays.equals(bytes, 0, text.length, text, 0, text.length);
  }
}
