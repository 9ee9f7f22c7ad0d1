package io.headspan.agent.probe.http;

import io.headspan.agent.probe.http.HttpEvent.Direction;
import io.headspan.agent.probe.http.HttpExchange.End;
import io.headspan.agent.probe.http.HttpExchange.Protocol;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Makes exchanges of one HTTP/2 connection's frames: one for each stream that the client opened.
///
/// Every header block is decoded, whether it is of interest or not, because each depends on those
/// before (RFC 7541). What `SETTINGS_HEADER_TABLE_SIZE` allows needs no look at SETTINGS: an
/// encoder says in its header blocks by how much it changes its table (section 4.2), and a peer
/// that may not do that ends the connection.
final class Http2Connection implements TranscribedConnection, Http2Frames.Receiver {
  /// The largest table a header block may ask for.
  private static final int TABLE_BYTES_MAX = 1 << 20;

  private static final int HEADER_LIST_BYTES_MAX = 1 << 18;
  private static final int HEADER_BLOCK_BYTES_MAX = 1 << 18;
  private static final int STREAMS_MAX = 1 << 14;
  private static final byte[] NOTHING = {};

  private final HttpEvent.Transcript transcript;
  private final Side client;
  private final Side server;
  private final Map<Integer, Stream> streams = new HashMap<>();

  /// Answered before their request could be read, because bytes of it were late.
  private final Set<Integer> answeredUnseen = new HashSet<>();

  private int lastStream;

  /// There are or were streams that are in none of the two.
  private boolean hasUnknownStreams;

  private int lost;
  private @Nullable Consumer<HttpExchange> sink;

  /// One direction: its frames, its decoder, and a header block that is not whole yet.
  private static final class Side {
    final Http2Frames frames;
    final DefaultHttp2HeadersDecoder decoder =
        new DefaultHttp2HeadersDecoder(false, HEADER_LIST_BYTES_MAX);
    byte[] block = NOTHING;
    int blockStream;
    boolean blockEnds;
    boolean blockPromises;
    int blockSequence;
    long blockNs;
    int blockOpen;
    boolean inBlock;

    Side(Http2Frames frames) {
      this.frames = frames;
      try {
        decoder.configuration().maxHeaderTableSize(TABLE_BYTES_MAX);
      } catch (Http2Exception e) {
        throw new IllegalStateException("table size refused: sizeBytes=" + TABLE_BYTES_MAX, e);
      }
    }
  }

  /// A request whose response has not ended.
  private static final class Stream {
    final int sequence;
    final long headNs;
    final int openAtHead;
    final byte[] requestHead;
    final boolean headComplete;
    final boolean grpc;
    long responseNs;
    int status;
    int grpcStatus = -1;

    Stream(
        int sequence,
        long headNs,
        int openAtHead,
        byte[] requestHead,
        boolean headComplete,
        boolean grpc) {
      this.sequence = sequence;
      this.headNs = headNs;
      this.openAtHead = openAtHead;
      this.requestHead = requestHead;
      this.headComplete = headComplete;
      this.grpc = grpc;
    }
  }

  Http2Connection(HttpEvent.Transcript transcript) {
    this.transcript = transcript;
    client = new Side(new Http2Frames(Direction.FROM_CLIENT, transcript.clientSequence(), this));
    server = new Side(new Http2Frames(Direction.FROM_SERVER, transcript.serverSequence(), this));
  }

  /// The connection began with an HTTP/1.1 request, which stream 1 answers (RFC 7540, section 3.2).
  void beginUpgraded(HttpEvent.Exchange request, byte[] requestHead, boolean headComplete) {
    lastStream = 1;
    streams.put(
        1,
        new Stream(
            request.headSequence(),
            request.headNs(),
            request.openAtHead(),
            requestHead,
            headComplete,
            false));
  }

  @Override
  public void accept(HttpEvent.Bytes bytes, Consumer<HttpExchange> sink) throws Unreadable {
    this.sink = sink;
    frames(bytes.direction()).accept(bytes);
  }

  @Override
  public void end(End end, long endNs, Consumer<HttpExchange> sink) throws Unreadable {
    this.sink = sink;
    // How streams ended, or that there were any, may be in the bytes that nobody can read.
    if (client.frames.isWaiting() || (server.frames.isWaiting() && !streams.isEmpty())) {
      throw new Unreadable(HttpCounter.HTTP2_BYTES_MISSING);
    }
    new ArrayList<>(streams.values()).forEach(stream -> report(stream, end, endNs));
    streams.clear();
  }

  @Override
  public void reportOpen(long bornNs, long nowNs, Consumer<HttpExchange> sink) {
    this.sink = sink;
    for (Stream stream : streams.values()) {
      if (stream.headNs - bornNs <= 0) {
        report(stream, End.OPEN, nowNs);
      }
    }
  }

  private Http2Frames frames(Direction direction) {
    return side(direction).frames;
  }

  @Override
  public boolean isRaw(Direction direction) {
    return frames(direction).isRaw();
  }

  @Override
  public @Nullable ResumePoint resumePoint(Direction direction) {
    Side side = side(direction);
    return side.frames.canResume()
        ? new ResumePoint(side.frames.position(), side.inBlock ? null : openStreams())
        : null;
  }

  private ResumePoint.@Nullable OpenStreams openStreams() {
    return hasUnknownStreams || !answeredUnseen.isEmpty()
        ? null
        : ResumePoint.OpenStreams.of(lastStream, streams.keySet());
  }

  @Override
  public void checkPatience(Direction direction, long nowNs) throws Unreadable {
    frames(direction).checkPatience(nowNs);
  }

  @Override
  public HttpCounter lostRequests() {
    return HttpCounter.HTTP2_STREAMS_LOST;
  }

  @Override
  public long cookie() {
    return transcript.cookie();
  }

  @Override
  public int openRequests() {
    return streams.size();
  }

  /// Those that were too long or too many to be kept.
  @Override
  public int takeLost() {
    int taken = lost;
    lost = 0;
    return taken;
  }

  @Override
  public void onFrame(
      Direction direction,
      int type,
      int flags,
      int stream,
      byte @Nullable [] payload,
      int sequence,
      long beginNs,
      long endNs,
      int openAtHead)
      throws Unreadable {
    Side side = side(direction);
    if (side.inBlock && (type != Http2Frames.CONTINUATION || stream != side.blockStream)) {
      throw new Unreadable(HttpCounter.HTTP2_MALFORMED);
    }
    if (payload == null) {
      return;
    }
    switch (type) {
      case Http2Frames.HEADERS, Http2Frames.PUSH_PROMISE -> {
        boolean promises = type == Http2Frames.PUSH_PROMISE;
        int from = (flags & Http2Frames.FLAG_PADDED) != 0 ? 1 : 0;
        int padding = from == 1 && payload.length > 0 ? payload[0] & 0xff : 0;
        if (promises) {
          from += 4;
        } else if ((flags & Http2Frames.FLAG_PRIORITY) != 0) {
          from += 5;
        }
        int to = payload.length - padding;
        if (stream == 0 || from > to) {
          throw new Unreadable(HttpCounter.HTTP2_MALFORMED);
        }
        side.block = Arrays.copyOfRange(payload, from, to);
        side.blockStream = stream;
        side.blockEnds = !promises && (flags & Http2Frames.FLAG_END_STREAM) != 0;
        side.blockPromises = promises;
        side.blockSequence = sequence;
        side.blockNs = beginNs;
        side.blockOpen = openAtHead;
        side.inBlock = true;
        endBlock(direction, side, flags, endNs);
      }
      case Http2Frames.CONTINUATION -> {
        int length = side.block.length;
        if (!side.inBlock || length + payload.length > HEADER_BLOCK_BYTES_MAX) {
          throw new Unreadable(HttpCounter.HTTP2_MALFORMED);
        }
        side.block = Arrays.copyOf(side.block, length + payload.length);
        System.arraycopy(payload, 0, side.block, length, payload.length);
        endBlock(direction, side, flags, endNs);
      }
      case Http2Frames.RST_STREAM -> {
        Stream reset = streams.remove(stream);
        if (reset != null) {
          report(reset, End.RESET, endNs);
        } else if (direction == Direction.FROM_SERVER) {
          rememberAnswer(stream);
        }
      }
      case Http2Frames.GOAWAY -> {
        if (direction == Direction.FROM_SERVER && payload.length >= 4) {
          refuseBehind(number(payload), endNs);
        }
      }
      default -> {
        // Nothing that exchanges are made of.
      }
    }
  }

  @Override
  public void onDataEnd(Direction direction, int stream, long timeNs) {
    if (direction == Direction.FROM_SERVER) {
      endResponse(stream, timeNs);
    }
  }

  private void endBlock(Direction direction, Side side, int flags, long endNs) throws Unreadable {
    if ((flags & Http2Frames.FLAG_END_HEADERS) == 0) {
      return;
    }
    side.inBlock = false;
    Http2Headers headers = decode(side);
    side.block = NOTHING;
    if (side.blockPromises) {
      return;
    }
    switch (direction) {
      case FROM_CLIENT -> beginStream(side, headers);
      case FROM_SERVER -> respond(side, headers, endNs);
    }
  }

  /// Null if there is more than may be kept; the table is right all the same.
  private @Nullable Http2Headers decode(Side side) throws Unreadable {
    try {
      return side.decoder.decodeHeaders(side.blockStream, Unpooled.wrappedBuffer(side.block));
    } catch (Http2Exception.HeaderListSizeException _) {
      return null;
    } catch (Http2Exception | RuntimeException _) {
      // The decoder throws what it likes on hostile input; its table is not to be trusted then.
      throw new Unreadable(HttpCounter.HTTP2_MALFORMED);
    }
  }

  private void beginStream(Side side, @Nullable Http2Headers headers) {
    int number = side.blockStream;
    if (number % 2 == 0 || number <= lastStream) {
      return; // Trailers of a request.
    }
    lastStream = number;
    if (answeredUnseen.remove(number)) {
      lost++;
      return;
    }
    if (headers == null || streams.size() >= STREAMS_MAX) {
      lost++;
      hasUnknownStreams = true;
      return;
    }
    streams.put(
        number,
        new Stream(
            side.blockSequence,
            side.blockNs,
            side.blockOpen,
            Http2RequestHead.of(headers),
            true,
            Http2RequestHead.isGrpc(headers)));
  }

  private void respond(Side side, @Nullable Http2Headers headers, long endNs) {
    Stream stream = streams.get(side.blockStream);
    if (stream == null) {
      rememberAnswer(side.blockStream);
      return;
    }
    if (headers != null) {
      int status = decimal(headers.status());
      if (status >= 100 && status < 200) {
        return;
      }
      if (stream.responseNs == 0) {
        stream.responseNs = side.blockNs;
        stream.status = Math.max(status, 0);
      }
      if (stream.grpc) {
        int grpcStatus = decimal(headers.get("grpc-status"));
        stream.grpcStatus = grpcStatus >= 0 ? grpcStatus : stream.grpcStatus;
      }
    }
    if (side.blockEnds) {
      endResponse(side.blockStream, endNs);
    }
  }

  private void rememberAnswer(int number) {
    if (number % 2 == 1 && number > lastStream) {
      if (answeredUnseen.size() < STREAMS_MAX) {
        answeredUnseen.add(number);
      } else {
        hasUnknownStreams = true;
      }
    }
  }

  private void endResponse(int number, long timeNs) {
    Stream stream = streams.remove(number);
    if (stream != null) {
      report(stream, End.RESPONSE, timeNs);
    }
  }

  /// The server will not answer the streams behind `last`.
  private void refuseBehind(int last, long timeNs) {
    List<Integer> refused = streams.keySet().stream().filter(number -> number > last).toList();
    for (Integer number : refused) {
      Stream stream = streams.remove(number);
      if (stream != null) {
        report(stream, End.RESET, timeNs);
      }
    }
  }

  private void report(Stream stream, End end, long tailNs) {
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
            stream.sequence,
            stream.headNs,
            stream.responseNs,
            Math.max(Math.max(tailNs, stream.responseNs), stream.headNs),
            stream.requestHead,
            stream.headComplete,
            stream.status,
            -1,
            end,
            stream.openAtHead,
            transcript.peerLocal(),
            stream.grpc ? Protocol.GRPC : Protocol.HTTP_2,
            stream.grpcStatus));
  }

  private Side side(Direction direction) {
    return switch (direction) {
      case FROM_CLIENT -> client;
      case FROM_SERVER -> server;
    };
  }

  /// A number of at most four digits; -1 if it is none.
  private static int decimal(@Nullable CharSequence text) {
    if (text == null || text.isEmpty() || text.length() > 4) {
      return -1;
    }
    int number = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < '0' || c > '9') {
        return -1;
      }
      number = number * 10 + (c - '0');
    }
    return number;
  }

  private static int number(byte[] bytes) {
    return ((bytes[0] & 0x7f) << 24)
        | ((bytes[1] & 0xff) << 16)
        | ((bytes[2] & 0xff) << 8)
        | (bytes[3] & 0xff);
  }
}
