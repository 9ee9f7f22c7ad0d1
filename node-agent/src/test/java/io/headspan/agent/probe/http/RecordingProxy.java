package io.headspan.agent.probe.http;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;

/// Stands between a client and a server, passes their bytes on in pieces of random length, and
/// keeps them.
final class RecordingProxy implements AutoCloseable {
  private static final int BUFFER_BYTES = 1 << 16;

  private final ServerSocket listener;
  private final int serverPort;
  private final int pieceMax;
  private final List<Connection> connections = new CopyOnWriteArrayList<>();

  /// One connection: what each side sent.
  static final class Connection {
    private final Socket client;
    private final Socket server;
    private final ByteArrayOutputStream fromClient = new ByteArrayOutputStream();
    private final ByteArrayOutputStream fromServer = new ByteArrayOutputStream();

    private Connection(Socket client, Socket server) {
      this.client = client;
      this.server = server;
    }

    byte[] fromClient() {
      return fromClient.toByteArray();
    }

    byte[] fromServer() {
      return fromServer.toByteArray();
    }
  }

  /// @param pieceMax the longest piece; pieces become segments, for Nagle's algorithm is off
  RecordingProxy(int serverPort, int pieceMax) throws IOException {
    this.serverPort = serverPort;
    this.pieceMax = pieceMax;
    listener = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
    Thread.ofVirtual().start(this::accept);
  }

  int port() {
    return listener.getLocalPort();
  }

  List<Connection> connections() {
    return connections;
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket client = listener.accept();
        Socket server = new Socket(InetAddress.getLoopbackAddress(), serverPort);
        client.setTcpNoDelay(true);
        server.setTcpNoDelay(true);
        var connection = new Connection(client, server);
        connections.add(connection);
        int seed = connections.size();
        Thread.ofVirtual().start(() -> pass(client, server, connection.fromClient, seed));
        Thread.ofVirtual().start(() -> pass(server, client, connection.fromServer, -seed));
      } catch (IOException e) {
        if (!listener.isClosed()) {
          throw new IllegalStateException("accept failed", e);
        }
      }
    }
  }

  private void pass(Socket from, Socket to, ByteArrayOutputStream record, int seed) {
    var random = new Random(seed);
    byte[] buffer = new byte[BUFFER_BYTES];
    try (from;
        to) {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      int length = in.read(buffer);
      while (length > 0) {
        record.write(buffer, 0, length);
        int at = 0;
        while (at < length) {
          int piece = Math.min(1 + random.nextInt(pieceMax), length - at);
          out.write(buffer, at, piece);
          at += piece;
        }
        length = in.read(buffer);
      }
    } catch (IOException _) {
      // One of the two closed the connection.
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Connection connection : connections) {
      connection.client.close();
      connection.server.close();
    }
  }
}
