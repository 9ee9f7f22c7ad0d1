package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.HttpEvent.ConnectionEnd;
import io.headspan.agent.probe.http.HttpExchange.End;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Makes exchanges of the kernel's records, each reported exactly once, as soon as its response is
/// known to be whole.
///
/// The kernel reads no lengths: its record holds the request's first bytes and the response's, and
/// how many bytes of the response have passed. From the heads this class knows how many should
/// pass. Most responses come in one packet and are whole then. For the others, tails tell how they
/// grow: from the ring, when the connection's next head begins or it ends, and from sweeps over the
/// connections in between. What ends a response: its `Content-Length`; the last chunk; the end of
/// the connection, for a response that is delimited by it; the next head, for one whose head is
/// longer than the kernel keeps.
///
/// The lengths also show where the kernel's picture is wrong, because it takes whatever comes after
/// a response for the next head: bytes of a body that was answered early, and requests that came
/// before the response to the last one where the kernel did not notice it. After the latter it is
/// not known any more which response belongs to which request, so nothing more of such a connection
/// is reported. Where the kernel noticed, the connection goes on as a transcript.
///
/// Only connections with something unusual have an entry here: an unfinished response, parts of a
/// long head, a body still to come, or pipelined requests. Single-threaded, but for the counters;
/// times come in as arguments.
final class ExchangeAssembler {
  /// Without the end of its response, an exchange is given up after this time of silence.
  static final long PATIENCE_NS = 300_000_000_000L;

  /// After this time of silence a response of unknown length counts as whole.
  static final long QUIET_NS = 1_000_000_000L;

  /// An exchange that has not ended at this age is reported as open.
  static final long OPEN_AGE_NS = 5_000_000_000L;

  /// And again as often as this, until it ends.
  static final long OPEN_INTERVAL_NS = 1_000_000_000L;

  private static final int CONNECTIONS_MAX = 1 << 18;
  private static final int PARTS_MAX = 256;
  private static final int HEAD_BYTES_MAX = 16 * 1024;

  private final Map<HttpCounter, LongAdder> counters = new EnumMap<>(HttpCounter.class);

  /// By socket cookie, oldest first.
  private final LinkedHashMap<Long, Connection> connections = new LinkedHashMap<>();

  private final Transcripts transcripts =
      new Transcripts((counter, times) -> adder(counter).add(times));

  private int unfinished;

  ExchangeAssembler() {
    for (HttpCounter counter : HttpCounter.values()) {
      if (!counter.isInKernel()) {
        counters.put(counter, new LongAdder());
      }
    }
  }

  /// What is to be remembered of a connection between two records.
  private static final class Connection {
    private final List<HttpEvent.HeadPart> parts = new ArrayList<>();
    private @Nullable Response response;

    /// The next head began before it was whole.
    private @Nullable Response interrupted;

    private boolean pipelined;

    /// A body is still on its way, and ends before this sequence number.
    private boolean bodyPending;

    private int bodyEnd;

    boolean isUnremarkable() {
      return parts.isEmpty()
          && response == null
          && interrupted == null
          && !pipelined
          && !bodyPending;
    }
  }

  /// An exchange whose response is not known to be whole yet.
  private static final class Response {
    private final HttpEvent.Exchange exchange;
    private final byte[] requestHead;
    private final MessageFraming framing;
    private final String method;
    private ResponseHead head;
    private byte[] firstBytes;
    private long lastNs;
    private long bytes;
    private long lastBytes;
    private boolean hasGap;
    private long toldOpenNs;

    /// @param framing of the request
    Response(HttpEvent.Exchange exchange, byte[] requestHead, MessageFraming framing) {
      this.exchange = exchange;
      this.requestHead = requestHead;
      this.framing = framing;
      this.method = ResponseHead.method(requestHead);
      this.head = ResponseHead.parse(exchange.response());
      this.firstBytes = exchange.response();
      this.lastNs = exchange.lastNs();
      this.bytes = exchange.responseBytes();
      this.lastBytes = exchange.lastBytes();
      this.hasGap = exchange.hasGap();
    }

    boolean isHeadComplete() {
      return framing.isWhole();
    }

    /// How long the request is; -1 if that is not known from what is here.
    long requestLength() {
      if (!framing.isWhole() || !framing.valid()) {
        return -1;
      }
      if (framing.chunked()) {
        return ChunkedBody.end(exchange.head(), framing.headLength());
      }
      return framing.headLength() + Math.max(framing.bodyLength(), 0);
    }

    void grow(HttpEvent.Tail tail) {
      if (tail.response() != null) {
        firstBytes = tail.response();
        head = ResponseHead.parse(firstBytes);
      }
      lastNs = tail.lastNs();
      bytes = tail.responseBytes();
      lastBytes = tail.lastBytes();
      hasGap = tail.hasGap();
    }

    /// For a transcript that begins within it.
    Http1Connection.Answered toAnswered() {
      return new Http1Connection.Answered(
          exchange,
          requestHead,
          isHeadComplete(),
          isKept() ? firstBytes : new byte[0],
          head.status(),
          bytes,
          length() - bytes);
    }

    /// Whether all bytes of the response that have passed are here.
    boolean isKept() {
      return bytes == firstBytes.length;
    }

    /// How many bytes the response has; -1 if its head does not say so, or not in what is here.
    long length() {
      MessageFraming framing = head.framing();
      if (!framing.isWhole() || !framing.valid()) {
        return -1;
      }
      if (head.isBodiless(method)) {
        return framing.headLength();
      }
      if (framing.chunked()) {
        return bytes <= firstBytes.length ? ChunkedBody.end(firstBytes, framing.headLength()) : -1;
      }
      return framing.bodyLength() < 0 ? -1 : framing.headLength() + framing.bodyLength();
    }

    boolean isWhole() {
      if (hasGap) {
        return false;
      }
      long length = length();
      if (length >= 0) {
        return bytes >= length;
      }
      return head.framing().chunked()
          && bytes > firstBytes.length
          && ChunkedBody.endsWithLastChunk(lastBytes);
    }

    /// Whether bytes passed that are of no response to this request.
    boolean isExceeded() {
      long length = length();
      return length >= 0 && bytes > length;
    }

    /// Whether only the end of the connection ends it, as far as its head is known.
    boolean isEndedByConnection() {
      MessageFraming framing = head.framing();
      return framing.isWhole() && framing.bodyLength() < 0 && !framing.chunked();
    }

    /// Whether silence may be its end: its length is unknown, or it may end with trailers.
    boolean isEndedBySilence() {
      MessageFraming framing = head.framing();
      return !framing.isWhole()
          || !framing.valid()
          || (framing.chunked() && ChunkedBody.endsWithEmptyLine(lastBytes));
    }
  }

  /// Whether there are responses that only a sweep can show to be whole.
  boolean hasUnfinished() {
    return unfinished > 0;
  }

  /// Adds to a counter that is not the kernel's.
  void count(HttpCounter counter) {
    adder(counter).increment();
  }

  /// The value of a counter that is not the kernel's. From any thread.
  long counted(HttpCounter counter) {
    return adder(counter).sum();
  }

  /// Takes a record of the ring. They have to come in the ring's order.
  void accept(HttpEvent event, Consumer<HttpExchange> sink) {
    switch (event) {
      case HttpEvent.Exchange exchange -> begin(exchange, sink);
      case HttpEvent.Tail tail -> end(tail, sink);
      case HttpEvent.HeadPart part -> keep(part);
      case HttpEvent.Turn turn -> report(turn(turn.turn()), sink);
      case HttpEvent.Transcript transcript -> begin(transcript, sink);
      case HttpEvent.Bytes bytes -> transcripts.accept(bytes, exchange -> report(exchange, sink));
      case HttpEvent.TranscriptEnd end -> transcripts.end(end, exchange -> report(exchange, sink));
    }
  }

  /// The connections that are read from their bytes.
  Transcripts transcripts() {
    return transcripts;
  }

  /// Takes a record of a sweep, after all records that came to the ring before it.
  void sweep(HttpEvent.Tail tail, Consumer<HttpExchange> sink) {
    Connection connection = connections.get(tail.cookie());
    Response response = responseOf(connection, tail);
    if (connection == null || response == null || tail.responseBytes() < response.bytes) {
      return;
    }
    response.grow(tail);
    settleIfWhole(tail.cookie(), connection, response, sink);
  }

  private static HttpExchange turn(HttpEvent.Exchange turn) {
    boolean answered = turn.responseNs() != 0;
    End end = answered ? End.RESPONSE : turn.end() == ConnectionEnd.RESET ? End.RESET : End.CLOSED;
    return new HttpExchange(
        turn.role(),
        turn.cookie(),
        turn.cgroupId(),
        turn.local(),
        turn.remote(),
        turn.headSequence(),
        turn.headNs(),
        turn.responseNs(),
        Math.max(answered ? turn.lastNs() : turn.endNs(), turn.headNs()),
        turn.head(),
        true,
        0,
        turn.responseBytes(),
        end,
        turn.openAtHead(),
        false,
        HttpExchange.Protocol.OTHER,
        -1);
  }

  /// Takes a record of an exchange that waits for its response.
  ///
  /// @param nowNs a time at which it did
  void open(HttpEvent.Exchange exchange, long nowNs, Consumer<HttpExchange> sink) {
    Connection connection = connections.get(exchange.cookie());
    if (connection != null
        && (connection.pipelined
            || (connection.bodyPending && connection.bodyEnd - exchange.headSequence() > 0))) {
      return;
    }
    Response response = response(connection, exchange);
    if (response.isHeadComplete()) {
      reportOpen(response, 0, nowNs, sink);
    }
  }

  /// Ends what silence ends, and reports what is open for long.
  ///
  /// @param nowNs the time of the last sweep
  void endSilent(long nowNs, Consumer<HttpExchange> sink) {
    if (unfinished == 0) {
      return;
    }
    for (Iterator<Connection> it = connections.values().iterator(); it.hasNext(); ) {
      Connection connection = it.next();
      Response response = connection.response;
      if (response == null) {
        continue;
      }
      long silenceNs = nowNs - response.lastNs;
      if (silenceNs >= QUIET_NS && response.isEndedBySilence()) {
        count(HttpCounter.QUIET_ENDS);
        finish(connection);
        report(response, End.RESPONSE, response.lastNs, sink);
      } else if (silenceNs >= PATIENCE_NS) {
        count(HttpCounter.LOST_TAILS);
        finish(connection);
      } else if (nowNs - response.exchange.headNs() >= OPEN_AGE_NS
          && nowNs - response.toldOpenNs >= OPEN_INTERVAL_NS) {
        response.toldOpenNs = nowNs;
        reportOpen(response, response.exchange.responseNs(), nowNs, sink);
      }
      if (connection.isUnremarkable()) {
        it.remove();
      }
    }
  }

  private void keep(HttpEvent.HeadPart part) {
    Connection connection = connection(part.cookie());
    connection.parts.removeIf(other -> other.exchange() != part.exchange());
    if (connection.parts.size() == PARTS_MAX) {
      count(HttpCounter.PARTS_REFUSED);
      return;
    }
    connection.parts.add(part);
  }

  private void begin(HttpEvent.Exchange exchange, Consumer<HttpExchange> sink) {
    Connection connection = connections.get(exchange.cookie());
    if (connection != null && connection.response != null) {
      // Its response has not grown since, or there would have been a tail: or that was lost.
      endByNextHead(connection, connection.response, sink);
    }
    Response response = response(connection, exchange);
    if (connection != null) {
      connection.parts.clear();
      endInterrupted(connection, sink);
    }
    if (exchange.end() == ConnectionEnd.TRANSCRIBED) {
      if (isReadable(connection, exchange, response)) {
        transcripts.upgrade(exchange, response.requestHead, response.isHeadComplete());
      }
    } else if (isReadable(connection, exchange, response)) {
      connection = checkEndOfRequest(connection, exchange, response);
      follow(connection, response, sink);
      connection = connections.get(exchange.cookie());
    }
    if (connection != null
        && (exchange.end() != ConnectionEnd.NONE || connection.isUnremarkable())) {
      remove(exchange.cookie(), connection);
    }
  }

  /// Whether the record is of a request that the response belongs to.
  private boolean isReadable(
      @Nullable Connection connection, HttpEvent.Exchange exchange, Response response) {
    if (connection != null && connection.pipelined) {
      count(HttpCounter.PIPELINED);
      return false;
    }
    if (connection != null && connection.bodyPending) {
      if (connection.bodyEnd - exchange.headSequence() > 0) {
        count(HttpCounter.BODY_AS_HEAD);
        return false;
      }
      connection.bodyPending = false;
    }
    if (exchange.responseNs() == 0 && !response.isHeadComplete()) {
      count(HttpCounter.UNFINISHED_HEADS);
      return false;
    }
    return true;
  }

  /// Compares where the request ends with what passed from the requesting side.
  private @Nullable Connection checkEndOfRequest(
      @Nullable Connection connection, HttpEvent.Exchange exchange, Response response) {
    long length = response.requestLength();
    if (length < 0 || length > Integer.MAX_VALUE) {
      return connection;
    }
    int surplus = exchange.requestNext() - (exchange.headSequence() + (int) length);
    if (surplus == 0) {
      return connection;
    }
    Connection remembered = connection == null ? connection(exchange.cookie()) : connection;
    if (surplus > 0) {
      remembered.pipelined = true;
    } else {
      remembered.bodyPending = true;
      remembered.bodyEnd = exchange.headSequence() + (int) length;
    }
    return remembered;
  }

  private void follow(
      @Nullable Connection connection, Response response, Consumer<HttpExchange> sink) {
    HttpEvent.Exchange exchange = response.exchange;
    if (exchange.end() != ConnectionEnd.NONE) {
      End end = exchange.end() == ConnectionEnd.CLOSED ? End.CLOSED : End.RESET;
      report(response, end, exchange.endNs(), sink);
      return;
    }
    if (connection == null && response.isWhole() && !response.isExceeded()) {
      report(response, End.RESPONSE, response.lastNs, sink);
      return;
    }
    Connection remembered = connection == null ? connection(exchange.cookie()) : connection;
    remembered.response = response;
    unfinished++;
    settleIfWhole(exchange.cookie(), remembered, response, sink);
  }

  private void end(HttpEvent.Tail tail, Consumer<HttpExchange> sink) {
    Connection connection = connections.get(tail.cookie());
    if (connection == null) {
      return;
    }
    Response response = responseOf(connection, tail);
    if (response != null) {
      response.grow(tail);
      if (response.isExceeded()) {
        connection.pipelined = true;
      }
      switch (tail.end()) {
        case NONE -> endByNextHead(connection, response, sink);
        case CLOSED, RESET -> endByConnection(connection, response, tail, sink);
        case LEFT, TRANSCRIBED -> {
          finish(connection);
          if (response.isWhole()) {
            report(response, End.RESPONSE, response.lastNs, sink);
          } else {
            count(HttpCounter.LOST_TAILS);
          }
        }
      }
    }
    if (tail.end() != ConnectionEnd.NONE || connection.isUnremarkable()) {
      remove(tail.cookie(), connection);
    }
  }

  private void settleIfWhole(
      long cookie, Connection connection, Response response, Consumer<HttpExchange> sink) {
    if (response.isExceeded()) {
      // The server answered a request that the kernel did not see as one.
      connection.pipelined = true;
    }
    if (!response.isWhole()) {
      return;
    }
    finish(connection);
    report(response, End.RESPONSE, response.lastNs, sink);
    if (connection.isUnremarkable()) {
      remove(cookie, connection);
    }
  }

  /// The next head began, so the response is whole, unless its length says that it is not.
  private void endByNextHead(
      Connection connection, Response response, Consumer<HttpExchange> sink) {
    finish(connection);
    response.hasGap = false; // The client has read it all, or it would not go on.
    if (response.isWhole() || !(response.length() >= 0 || response.isKept())) {
      report(response, End.RESPONSE, response.lastNs, sink);
    } else {
      // Its tail was lost; or the client did not wait, and the kernel will notice that the rest of
      // this response is no beginning of one.
      connection.interrupted = response;
    }
  }

  /// An interrupted response does not go on.
  private void endInterrupted(Connection connection, Consumer<HttpExchange> sink) {
    Response interrupted = connection.interrupted;
    if (interrupted != null && interrupted.length() < 0) {
      connection.interrupted = null;
      report(interrupted, End.RESPONSE, interrupted.lastNs, sink);
    } else {
      giveUpInterrupted(connection);
    }
  }

  /// The tail of an interrupted response was lost.
  private void giveUpInterrupted(Connection connection) {
    if (connection.interrupted != null) {
      connection.interrupted = null;
      count(HttpCounter.LOST_TAILS);
    }
  }

  private void begin(HttpEvent.Transcript transcript, Consumer<HttpExchange> sink) {
    if (!transcript.pipelined()) {
      transcripts.begin(transcript);
      return;
    }
    Connection known = connections.get(transcript.cookie());
    if (known == null) {
      transcripts.begin(new Http1Connection(transcript));
      return;
    }
    if (known.response != null) {
      endByNextHead(known, known.response, sink);
    }
    Response interrupted = known.interrupted;
    boolean inBody = known.bodyPending && known.bodyEnd - transcript.clientSequence() > 0;
    if (known.pipelined || inBody) {
      count(HttpCounter.PIPELINED);
      transcripts.refuse(transcript.cookie());
    } else {
      known.interrupted = null;
      transcripts.begin(
          interrupted == null
              ? new Http1Connection(transcript)
              : new Http1Connection(transcript, interrupted.toAnswered()));
      for (HttpEvent.HeadPart part : known.parts) {
        if (part.exchange() == transcript.exchange()) {
          int sequence = transcript.clientSequence() + part.offset();
          accept(
              new HttpEvent.Bytes(
                  transcript.cookie(),
                  HttpEvent.Direction.FROM_CLIENT,
                  transcript.timeNs(),
                  -1,
                  sequence,
                  sequence,
                  sequence + part.bytes().length,
                  true,
                  part.bytes()),
              sink);
        }
      }
    }
    remove(transcript.cookie(), known);
  }

  private void endByConnection(
      Connection connection, Response response, HttpEvent.Tail tail, Consumer<HttpExchange> sink) {
    finish(connection);
    boolean closed = tail.end() == ConnectionEnd.CLOSED;
    boolean delimited = response.isEndedByConnection() || !response.head.framing().isWhole();
    if (response.isWhole() || (closed && delimited)) {
      report(response, End.RESPONSE, response.lastNs, sink);
    } else {
      report(response, closed ? End.CLOSED : End.RESET, tail.endNs(), sink);
    }
  }

  private void report(Response response, End end, long tailNs, Consumer<HttpExchange> sink) {
    report(exchange(response, response.exchange.responseNs(), end, tailNs), sink);
  }

  private static void reportOpen(
      Response response, long responseNs, long nowNs, Consumer<HttpExchange> sink) {
    sink.accept(exchange(response, responseNs, End.OPEN, nowNs));
  }

  private static HttpExchange exchange(Response response, long responseNs, End end, long tailNs) {
    HttpEvent.Exchange exchange = response.exchange;
    return new HttpExchange(
        exchange.role(),
        exchange.cookie(),
        exchange.cgroupId(),
        exchange.local(),
        exchange.remote(),
        exchange.headSequence(),
        exchange.headNs(),
        responseNs,
        Math.max(Math.max(tailNs, responseNs), exchange.headNs()),
        response.requestHead,
        response.isHeadComplete(),
        responseNs == 0 ? 0 : response.head.status(),
        response.bytes,
        end,
        exchange.openAtHead(),
        exchange.peerLocal());
  }

  private void report(HttpExchange exchange, Consumer<HttpExchange> sink) {
    count(HttpCounter.EXCHANGES);
    sink.accept(exchange);
  }

  private Response response(@Nullable Connection connection, HttpEvent.Exchange exchange) {
    byte[] bytes = exchange.head();
    if (connection != null && !connection.parts.isEmpty()) {
      bytes = join(bytes, exchange.exchange(), connection.parts);
    }
    MessageFraming framing = MessageFraming.read(bytes);
    // Nothing of the body is kept.
    byte[] head =
        framing.isWhole() && framing.headLength() < bytes.length
            ? Arrays.copyOf(bytes, framing.headLength())
            : bytes;
    return new Response(exchange, head, framing);
  }

  /// The head's first bytes and those parts of it that follow without a gap.
  private static byte[] join(byte[] first, int exchange, List<HttpEvent.HeadPart> parts) {
    List<HttpEvent.HeadPart> ordered = new ArrayList<>(parts);
    ordered.sort(Comparator.comparingInt(HttpEvent.HeadPart::offset));
    byte[] joined = Arrays.copyOf(first, HEAD_BYTES_MAX);
    int length = first.length;
    for (HttpEvent.HeadPart part : ordered) {
      int end = Math.min(part.offset() + part.bytes().length, HEAD_BYTES_MAX);
      if (part.exchange() == exchange && part.offset() <= length && end > length) {
        int known = length - part.offset();
        System.arraycopy(part.bytes(), known, joined, length, end - length);
        length = end;
      }
    }
    return Arrays.copyOf(joined, length);
  }

  private static @Nullable Response responseOf(
      @Nullable Connection connection, HttpEvent.Tail tail) {
    if (connection == null || connection.response == null) {
      return null;
    }
    Response response = connection.response;
    return response.exchange.exchange() == tail.exchange() ? response : null;
  }

  private Connection connection(long cookie) {
    Connection connection = connections.computeIfAbsent(cookie, _ -> new Connection());
    if (connections.size() > CONNECTIONS_MAX) {
      // Records of their ends were lost, or there are more than one node can have.
      Map.Entry<Long, Connection> oldest = connections.firstEntry();
      if (oldest.getValue().response != null) {
        count(HttpCounter.LOST_TAILS);
      }
      remove(oldest.getKey(), oldest.getValue());
    }
    return connection;
  }

  private void finish(Connection connection) {
    connection.response = null;
    unfinished--;
  }

  private void remove(long cookie, Connection connection) {
    giveUpInterrupted(connection);
    if (connection.response != null) {
      finish(connection);
    }
    connections.remove(cookie);
  }

  private LongAdder adder(HttpCounter counter) {
    LongAdder adder = counters.get(counter);
    if (adder == null) {
      throw new IllegalArgumentException("counted in the kernel: counter=" + counter);
    }
    return adder;
  }
}
