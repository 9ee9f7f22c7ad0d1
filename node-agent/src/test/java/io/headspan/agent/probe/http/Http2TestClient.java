package io.headspan.agent.probe.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/// An HTTP/2 connection whose every frame the test decides (RFC 9113), one request at a time.
final class Http2TestClient implements AutoCloseable {
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  /// So few bytes of it could be something else.
  static final int PREFACE_BEGINNING = 3;

  private static final int TIMEOUT_MILLIS = 60_000;

  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int RST_STREAM = 3;
  private static final int SETTINGS = 4;
  private static final int GOAWAY = 7;
  private static final int CONTINUATION = 9;

  private static final int END_STREAM = 0x1;
  private static final int END_HEADERS = 0x4;
  private static final int PADDED = 0x8;
  private static final int PRIORITY = 0x20;

  private final Socket socket;
  private final InputStream in;

  /// A frame's type, flags and stream.
  private record Frame(int type, int flags, int stream) {}

  Http2TestClient(int port) throws IOException {
    this(new Socket(InetAddress.getLoopbackAddress(), port));
    send(PREFACE.getBytes(US_ASCII));
    send(frame(SETTINGS, 0, 0, new byte[0]));
  }

  /// Connects, and sends so little at first that it could be something else, then all the rest of
  /// the preface and `frames` at once.
  Http2TestClient(int port, byte[] frames) throws IOException {
    this(new Socket(InetAddress.getLoopbackAddress(), port));
    send(PREFACE.substring(0, PREFACE_BEGINNING).getBytes(US_ASCII));
    sendRestOfPreface(frames);
  }

  /// Likewise, but waits for the server's first frame in between.
  static Http2TestClient awaitingServerWithinPreface(int port) throws IOException {
    var client = new Http2TestClient(new Socket(InetAddress.getLoopbackAddress(), port));
    client.send(PREFACE.substring(0, PREFACE_BEGINNING).getBytes(US_ASCII));
    assertThat(readFrame(client.in).type()).isEqualTo(SETTINGS);
    client.sendRestOfPreface(new byte[0]);
    return client;
  }

  private void sendRestOfPreface(byte[] frames) throws IOException {
    var rest = new ByteArrayOutputStream();
    rest.writeBytes(PREFACE.substring(PREFACE_BEGINNING).getBytes(US_ASCII));
    rest.writeBytes(frame(SETTINGS, 0, 0, new byte[0]));
    rest.writeBytes(frames);
    send(rest.toByteArray());
  }

  private Http2TestClient(Socket socket) throws IOException {
    this.socket = socket;
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(TIMEOUT_MILLIS);
    in = new BufferedInputStream(socket.getInputStream());
  }

  void send(byte[] frames) throws IOException {
    socket.getOutputStream().write(frames);
  }

  /// Reads what comes until the other side has ended a stream.
  void awaitAnswer() throws IOException {
    readUntilEndOfStream(in);
  }

  /// Ends a stream without an answer.
  static byte[] reset(int stream) {
    return frame(RST_STREAM, 0, stream, new byte[Integer.BYTES]);
  }

  /// Sends a request with a body in two frames and reads its answer to the end.
  ///
  /// @param padding bytes of it in each frame that may have some; none if 0
  /// @param fragmentMax bytes of the header block in a frame
  void request(
      int stream,
      List<Map.Entry<String, String>> headers,
      byte[] body,
      int padding,
      boolean withPriority,
      int fragmentMax)
      throws IOException {
    var request = new ByteArrayOutputStream();
    request.writeBytes(head(stream, headers, padding, withPriority, fragmentMax, false));
    request.writeBytes(data(stream, body, padding, false));
    request.writeBytes(data(stream, new byte[0], padding, true));
    send(request.toByteArray());
    awaitAnswer();
  }

  /// A header block in a HEADERS frame and as many CONTINUATION frames as it takes.
  static byte[] head(
      int stream,
      List<Map.Entry<String, String>> headers,
      int padding,
      boolean withPriority,
      int fragmentMax,
      boolean endsStream) {
    byte[] block = block(headers);
    int first = Math.min(fragmentMax, block.length);
    var payload = new ByteArrayOutputStream();
    if (padding > 0) {
      payload.write(padding);
    }
    if (withPriority) {
      // It depends on stream 0, and weighs 16.
      payload.writeBytes(new byte[] {0, 0, 0, 0, 15});
    }
    payload.write(block, 0, first);
    payload.writeBytes(new byte[padding]);
    int flags =
        (padding > 0 ? PADDED : 0)
            | (withPriority ? PRIORITY : 0)
            | (endsStream ? END_STREAM : 0)
            | (first == block.length ? END_HEADERS : 0);
    var frames = new ByteArrayOutputStream();
    frames.writeBytes(frame(HEADERS, flags, stream, payload.toByteArray()));
    for (int at = first; at < block.length; at += fragmentMax) {
      int end = Math.min(at + fragmentMax, block.length);
      frames.writeBytes(
          frame(
              CONTINUATION,
              end == block.length ? END_HEADERS : 0,
              stream,
              Arrays.copyOfRange(block, at, end)));
    }
    return frames.toByteArray();
  }

  static byte[] data(int stream, byte[] content, int padding, boolean endsStream) {
    var payload = new ByteArrayOutputStream();
    if (padding > 0) {
      payload.write(padding);
    }
    payload.writeBytes(content);
    payload.writeBytes(new byte[padding]);
    return frame(
        DATA,
        (padding > 0 ? PADDED : 0) | (endsStream ? END_STREAM : 0),
        stream,
        payload.toByteArray());
  }

  static byte[] frame(int type, int flags, int stream, byte[] payload) {
    var frame = new ByteArrayOutputStream();
    frame.write(payload.length >> 16);
    frame.write(payload.length >> 8);
    frame.write(payload.length);
    frame.write(type);
    frame.write(flags);
    for (int shift = 24; shift >= 0; shift -= 8) {
      frame.write(stream >> shift);
    }
    frame.writeBytes(payload);
    return frame.toByteArray();
  }

  /// Reads frames until the other side has ended a stream.
  static void readUntilEndOfStream(InputStream in) throws IOException {
    Frame frame = readFrame(in);
    while ((frame.type() != DATA && frame.type() != HEADERS) || (frame.flags() & END_STREAM) == 0) {
      assertThat(frame.type()).as("%s", frame).isNotIn(RST_STREAM, GOAWAY);
      frame = readFrame(in);
    }
  }

  private static Frame readFrame(InputStream in) throws IOException {
    byte[] head = in.readNBytes(9);
    assertThat(head).as("a frame's head").hasSize(9);
    int length = (head[0] & 0xff) << 16 | (head[1] & 0xff) << 8 | (head[2] & 0xff);
    in.skipNBytes(length);
    return new Frame(head[3], head[4], (head[7] & 0xff) << 8 | (head[8] & 0xff));
  }

  /// Literal header fields that are added to no table, names and values uncompressed (RFC 7541,
  /// section 6.2.2).
  private static byte[] block(List<Map.Entry<String, String>> headers) {
    var block = new ByteArrayOutputStream();
    for (Map.Entry<String, String> header : headers) {
      block.write(0);
      for (String text : List.of(header.getKey(), header.getValue())) {
        assertThat(text.length()).as("fits a prefix of seven bits").isLessThan(127);
        block.write(text.length());
        block.writeBytes(text.getBytes(US_ASCII));
      }
    }
    return block.toByteArray();
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
