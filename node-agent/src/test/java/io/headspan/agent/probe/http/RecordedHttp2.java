package io.headspan.agent.probe.http;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.headspan.agent.probe.http.HttpEvent.Direction;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/// One connection between real gRPC peers, recorded once, and ways to cut it into records as the
/// kernel would.
///
/// @param exchanges what it holds, as [#describe] has it
record RecordedHttp2(byte[] fromClient, byte[] fromServer, Set<String> exchanges) {
  private static final int CALLS = 60;
  private static final int PREFACE_BYTES = 24;
  private static final int FRAME_HEADER_BYTES = 9;
  private static final InetSocketAddress ADDRESS =
      new InetSocketAddress(InetAddress.getLoopbackAddress(), 80);

  static RecordedHttp2 record() throws IOException {
    Set<String> exchanges = new TreeSet<>();
    try (var echo = new GrpcEcho(InetAddress.getLoopbackAddress(), byte[]::new);
        var proxy = new RecordingProxy(echo.port(), 1 << 16)) {
      ManagedChannel channel = GrpcEcho.channel(proxy.port());
      try {
        for (int i = 0; i < CALLS; i++) {
          String parent = "00-%032x-%016x-01".formatted(i + 1, i + 1);
          boolean fails = i % 7 == 3;
          int status = fails ? 1 + i % 16 : 0;
          byte[] request = new byte[fails ? status : i * 97 % 4_000];
          try {
            GrpcEcho.call(
                channel, fails ? GrpcEcho.FAIL : GrpcEcho.UNARY, request, "traceparent", parent);
          } catch (StatusRuntimeException e) {
            if (!fails) {
              throw e;
            }
          }
          exchanges.add((fails ? "Fail " : "Unary ") + parent + " " + status);
        }
      } finally {
        channel.shutdownNow();
      }
      RecordingProxy.Connection connection = proxy.connections().getFirst();
      return new RecordedHttp2(connection.fromClient(), connection.fromServer(), exchanges);
    }
  }

  static String describe(HttpExchange exchange) {
    String head = Captures.head(exchange);
    int method = head.indexOf("Echo/") + "Echo/".length();
    int parent = head.indexOf("traceparent: ") + "traceparent: ".length();
    return head.substring(method, head.indexOf(' ', method))
        + " "
        + head.substring(parent, head.indexOf("\r\n", parent))
        + " "
        + exchange.grpcStatus();
  }

  static HttpEvent.Transcript transcript(int clientSequence, int serverSequence) {
    return new HttpEvent.Transcript(
        1,
        0,
        7,
        1_000,
        HttpExchange.Role.SERVER,
        ADDRESS,
        ADDRESS,
        clientSequence,
        serverSequence,
        false,
        false);
  }

  /// All bytes of a direction, raw, in pieces of random length, some twice and out of order.
  static List<HttpEvent.Bytes> raw(
      Direction direction, byte[] bytes, int sequence, Random random, int disorder) {
    return raw(direction, bytes, sequence, random, disorder, 700);
  }

  static List<HttpEvent.Bytes> raw(
      Direction direction, byte[] bytes, int sequence, Random random, int disorder, int lengthMax) {
    List<HttpEvent.Bytes> records = new ArrayList<>();
    int at = 0;
    while (at < bytes.length) {
      int length = Math.min(1 + random.nextInt(lengthMax), bytes.length - at);
      int before = Math.min(at, random.nextInt(30));
      HttpEvent.Bytes piece =
          piece(direction, bytes, at - before, at + length, sequence, true, sequence + at - before);
      records.add(piece);
      if (random.nextInt(10) == 0) {
        records.add(piece);
      }
      at += length;
    }
    for (int i = 0; i < disorder; i++) {
      int one = random.nextInt(records.size());
      Collections.swap(records, one, Math.min(one + 1 + random.nextInt(4), records.size() - 1));
    }
    return records;
  }

  /// The bytes of a direction without the payload of DATA frames, as the kernel keeps them.
  static List<HttpEvent.Bytes> kept(
      Direction direction, byte[] bytes, int sequence, Random random) {
    List<HttpEvent.Bytes> records = new ArrayList<>();
    int at = 0;
    int toldUntil = 0;
    if (direction == Direction.FROM_CLIENT) {
      at = PREFACE_BYTES;
      records.add(piece(direction, bytes, 0, at, sequence, false, sequence));
      toldUntil = at;
    }
    while (at + FRAME_HEADER_BYTES <= bytes.length) {
      int length =
          ((bytes[at] & 0xff) << 16) | ((bytes[at + 1] & 0xff) << 8) | (bytes[at + 2] & 0xff);
      int type = bytes[at + 3];
      boolean isData = type == Http2Frames.DATA;
      boolean ends = (bytes[at + 4] & Http2Frames.FLAG_END_STREAM) != 0;
      int end = at + FRAME_HEADER_BYTES + length;
      boolean says = isData ? ends : type != 8 && type != 6;
      if (says) {
        int keptEnd = isData ? at + FRAME_HEADER_BYTES : end;
        int cut = at;
        while (cut < keptEnd) {
          int next = Math.min(cut + 1 + random.nextInt(200), keptEnd);
          records.add(piece(direction, bytes, cut, next, sequence, false, sequence + toldUntil));
          toldUntil = next;
          cut = next;
        }
        toldUntil = end;
        if (isData) {
          records.add(
              new HttpEvent.Bytes(
                  1,
                  direction,
                  1_000 + end,
                  -1,
                  sequence + end,
                  sequence + end,
                  sequence + end,
                  false,
                  new byte[0]));
        }
      }
      at = end;
    }
    return records;
  }

  private static HttpEvent.Bytes piece(
      Direction direction,
      byte[] bytes,
      int from,
      int to,
      int sequence,
      boolean raw,
      int fromSequence) {
    byte[] piece = new byte[to - from];
    System.arraycopy(bytes, from, piece, 0, piece.length);
    return new HttpEvent.Bytes(
        1, direction, 1_000 + from, -1, fromSequence, sequence + from, sequence + to, raw, piece);
  }

  /// Both directions, each in its own order, now one and now the other. Of an answer nothing comes
  /// before all of the requests: when it came is not recorded.
  static void feed(
      Transcripts transcripts,
      List<HttpEvent.Bytes> fromClient,
      List<HttpEvent.Bytes> fromServer,
      Consumer<HttpExchange> sink) {
    fromClient.forEach(record -> transcripts.accept(record, sink));
    fromServer.forEach(record -> transcripts.accept(record, sink));
  }
}
