package io.headspan.loadgen.http;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A keep-alive HTTP/1.1 connection whose user decides how a request is cut into TCP segments: each
/// piece given to [#send] is written by itself with Nagle's algorithm off. Not thread-safe.
public final class HttpConnection implements AutoCloseable {
  private static final int HEAD_MAX_BYTES = 64 * 1024;

  private final SocketChannel channel;
  private final InputStream in;
  private final OutputStream out;

  private HttpConnection(SocketChannel channel) throws IOException {
    this.channel = channel;
    Socket socket = channel.socket();
    this.in = new BufferedInputStream(socket.getInputStream());
    this.out = socket.getOutputStream();
  }

  /// Connects.
  ///
  /// @param readTimeout how long to wait for a response's bytes before giving up
  public static HttpConnection open(InetSocketAddress address, Duration readTimeout)
      throws IOException {
    SocketChannel channel = SocketChannel.open();
    try {
      channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
      channel.socket().connect(address, (int) readTimeout.toMillis());
      channel.socket().setSoTimeout((int) readTimeout.toMillis());
      return new HttpConnection(channel);
    } catch (IOException e) {
      channel.close();
      throw new IOException("could not connect: address=" + address + ", " + e.getMessage(), e);
    }
  }

  /// The local port, which names this connection in captures.
  public int localPort() {
    return channel.socket().getLocalPort();
  }

  /// Writes `bytes` in pieces of the given sizes, each by a write of its own; what is left over is
  /// the last piece.
  public void send(byte[] bytes, int... pieceSizes) throws IOException {
    int from = 0;
    for (int size : pieceSizes) {
      int length = Math.min(size, bytes.length - from);
      if (length > 0) {
        out.write(bytes, from, length);
        from += length;
      }
    }
    if (from < bytes.length) {
      out.write(bytes, from, bytes.length - from);
    }
  }

  /// Reads a whole response (interim ones are passed over) and returns its status.
  ///
  /// @param toHead whether it answers a HEAD request and so has no body
  /// @throws EOFException if the connection ends first
  public int readResponse(boolean toHead) throws IOException {
    while (true) {
      String head = readHead();
      int status = Integer.parseInt(head.substring(9, 12));
      if (status >= 100 && status < 200) {
        continue;
      }
      if (!toHead && status != 204 && status != 304) {
        readBody(head);
      }
      return status;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private String readHead() throws IOException {
    StringBuilder head = new StringBuilder(256);
    while (head.length() < 4 || !head.substring(head.length() - 4).equals("\r\n\r\n")) {
      int c = in.read();
      if (c < 0) {
        throw new EOFException(
            "connection closed in a response's head: read=" + head.length() + " bytes");
      }
      head.append((char) c);
      if (head.length() > HEAD_MAX_BYTES) {
        throw new IOException("response head too long: bytes>" + HEAD_MAX_BYTES);
      }
    }
    return head.toString();
  }

  private void readBody(String head) throws IOException {
    String length = header(head, "content-length");
    if (length != null) {
      in.skipNBytes(Long.parseLong(length));
      return;
    }
    String encoding = header(head, "transfer-encoding");
    if (encoding == null || !encoding.equalsIgnoreCase("chunked")) {
      in.transferTo(OutputStream.nullOutputStream());
      return;
    }
    for (int size = chunkSize(); size > 0; size = chunkSize()) {
      in.skipNBytes(size + 2L);
    }
    in.skipNBytes(2);
  }

  private int chunkSize() throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new EOFException("connection closed in a chunk's head");
      }
      line.append((char) c);
    }
    return Integer.parseInt(line.toString().strip().split(";", 2)[0], 16);
  }

  private static @Nullable String header(String head, String name) {
    for (String line : head.split("\r\n", -1)) {
      int colon = line.indexOf(':');
      if (colon > 0 && line.substring(0, colon).equalsIgnoreCase(name)) {
        return line.substring(colon + 1).strip();
      }
    }
    return null;
  }

  /// A request's bytes.
  ///
  /// @param headers further header lines without line ends
  public static byte[] request(
      String method, String target, String host, String body, String... headers) {
    StringBuilder text =
        new StringBuilder(256).append(method).append(' ').append(target).append(" HTTP/1.1\r\n");
    text.append("Host: ").append(host).append("\r\n");
    for (String header : headers) {
      text.append(header).append("\r\n");
    }
    byte[] content = body.getBytes(StandardCharsets.UTF_8);
    if (content.length > 0 || method.equals("POST") || method.equals("PUT")) {
      text.append("Content-Length: ").append(content.length).append("\r\n");
    }
    byte[] head = text.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
    byte[] all = Arrays.copyOf(head, head.length + content.length);
    System.arraycopy(content, 0, all, head.length, content.length);
    return all;
  }
}
