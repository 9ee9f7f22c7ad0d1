package io.headspan.agent.probe.http;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// A server whose every byte the test decides: each connection is given to a handler on a thread of
/// its own.
final class TestServer implements Closeable {
  /// Serves one connection; it is closed afterwards.
  @FunctionalInterface
  interface Handler {
    void serve(Connection connection) throws IOException;
  }

  /// The server's end of a connection.
  record Connection(Socket socket, InputStream in, OutputStream out) {
    /// Reads up to and with an empty line; empty if the client closed.
    Optional<String> readHead() throws IOException {
      var head = new ByteArrayOutputStream();
      while (true) {
        int b = in.read();
        if (b < 0) {
          return Optional.empty();
        }
        head.write(b);
        String text = head.toString(StandardCharsets.ISO_8859_1);
        if (b == '\n' && text.endsWith("\r\n\r\n")) {
          return Optional.of(text);
        }
      }
    }

    void readBody(int length) throws IOException {
      in.readNBytes(length);
    }

    void write(String text) throws IOException {
      out.write(text.getBytes(StandardCharsets.ISO_8859_1));
      out.flush();
    }
  }

  private final ServerSocket listener;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();

  TestServer(InetAddress address, Handler handler) throws IOException {
    listener = new ServerSocket();
    listener.bind(new InetSocketAddress(address, 0), 1024);
    Thread.ofVirtual().start(() -> accept(handler));
  }

  InetSocketAddress address() {
    return (InetSocketAddress) listener.getLocalSocketAddress();
  }

  int port() {
    return listener.getLocalPort();
  }

  private void accept(Handler handler) {
    while (!listener.isClosed()) {
      try {
        Socket socket = listener.accept();
        sockets.add(socket);
        Thread.ofVirtual().start(() -> serve(socket, handler));
      } catch (IOException e) {
        if (!listener.isClosed()) {
          throw new IllegalStateException("accept failed", e);
        }
      }
    }
  }

  private void serve(Socket socket, Handler handler) {
    try (socket) {
      socket.setTcpNoDelay(true);
      handler.serve(
          new Connection(
              socket, new BufferedInputStream(socket.getInputStream()), socket.getOutputStream()));
    } catch (IOException _) {
      // The client closed or reset the connection, as many of the tests have it do.
    } finally {
      sockets.remove(socket);
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
