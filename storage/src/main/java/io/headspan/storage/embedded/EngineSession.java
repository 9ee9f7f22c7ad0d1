package io.headspan.storage.embedded;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/// The lease of a connection: one statement at a time, by one thread; only [#kill()] may be called
/// by others, at any time. Close it to give the connection back.
final class EngineSession implements AutoCloseable {
  /// An open connection of the engine.
  ///
  /// @param mark the `log_comment` of its statements, by which they can be killed
  /// @param database its current database
  record Connection(MemorySegment handle, String mark, String database) {}

  private final Engine engine;
  private final LibChdb library;
  private final Connection owner;
  private final MemorySegment connection;
  private volatile boolean pristine = true;

  /// Guarded by `this`: whether a statement of this lease may be running.
  private boolean running;

  EngineSession(Engine engine, LibChdb library, Connection connection) {
    this.engine = engine;
    this.library = library;
    this.owner = connection;
    this.connection = connection.handle();
  }

  Connection connection() {
    return owner;
  }

  /// Whether the connection is as the engine opened it, and can serve another request.
  boolean isPristine() {
    return pristine;
  }

  /// Says that the connection must not serve another request: a statement has changed its state.
  void taint() {
    pristine = false;
  }

  /// Changes settings for the rest of the lease.
  ///
  /// @throws EngineException if one is unknown or has a bad value
  void set(Map<String, String> settings) throws EngineException {
    if (settings.isEmpty()) {
      return;
    }
    pristine = false;
    StringJoiner assignments = new StringJoiner(", ", "SET ", "");
    settings.forEach((name, value) -> assignments.add(name + " = " + quoted(value)));
    String command = assignments.toString();
    query(command.getBytes(StandardCharsets.UTF_8), "TabSeparated", Map.of()).close();
  }

  /// Runs a statement to its end and gives its whole result.
  EngineResult query(byte[] sql, String format, Map<String, String> parameters)
      throws EngineException {
    begin();
    try {
      return new EngineResult(library, library.query(connection, sql, format, parameters));
    } finally {
      end();
    }
  }

  /// Starts a SELECT whose result comes in chunks.
  Chunks select(byte[] sql, String format, Map<String, String> parameters) throws EngineException {
    begin();
    MemorySegment stream = null;
    try {
      stream = library.streamQuery(connection, sql, format, parameters);
      String error = library.error(stream);
      if (error != null) {
        throw EngineException.of(error);
      }
      Chunks chunks = new Chunks(stream);
      stream = null;
      return chunks;
    } finally {
      if (stream != null) {
        library.destroyResult(stream);
        end();
      }
    }
  }

  /// Starts an INSERT.
  ///
  /// @param sql the statement up to its data, without FORMAT clause
  Insert insert(byte[] sql, String format, Map<String, String> parameters) throws EngineException {
    begin();
    MemorySegment stream = null;
    try {
      stream = library.streamInsert(connection, sql, format, parameters);
      String error = library.insertError(stream);
      if (error != null) {
        throw EngineException.of(error);
      }
      Insert insert = new Insert(stream);
      stream = null;
      return insert;
    } finally {
      if (stream != null) {
        library.destroyInsert(stream);
        end();
      }
    }
  }

  /// Ends the statement of this lease that runs now, if one does. The monitor is held meanwhile:
  /// the connection cannot be leased again so early that the kill would hit another's statement.
  synchronized void kill() {
    if (running) {
      // A statement killed between two chunks leaves the next one on its connection cancelled.
      pristine = false;
      engine.kill(owner.mark());
    }
  }

  @Override
  public void close() {
    engine.release(this);
  }

  private synchronized void begin() {
    running = true;
  }

  private synchronized void end() {
    running = false;
  }

  /// A ClickHouse string literal.
  private static String quoted(String value) {
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  /// The result of a SELECT in chunks. Closing it before the end cancels the query.
  final class Chunks implements AutoCloseable {
    private final MemorySegment stream;
    private boolean closed;

    private Chunks(MemorySegment stream) {
      this.stream = stream;
    }

    /// The next chunk, to be closed by the caller; null at the end.
    @Nullable EngineResult next() throws EngineException {
      EngineResult chunk = new EngineResult(library, library.fetch(connection, stream));
      if (chunk.length() == 0) {
        chunk.close();
        return null;
      }
      return chunk;
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        library.destroyResult(stream);
        end();
      }
    }
  }

  /// An INSERT that takes data. Closing it without [#commit] gives it up.
  final class Insert implements AutoCloseable {
    private final MemorySegment stream;
    private boolean ended;
    private boolean closed;

    private Insert(MemorySegment stream) {
      this.stream = stream;
    }

    /// Hands over `length` native bytes; returns when the library has copied them.
    void append(MemorySegment data, long length) throws EngineException {
      if (!library.append(stream, data, length)) {
        String error = library.insertError(stream);
        throw error == null
            ? EngineException.of("INSERT does not accept data")
            : EngineException.of(error);
      }
    }

    /// Stores the data; when this returns it is in the table. The result must be closed.
    EngineResult commit() throws EngineException {
      ended = true;
      return new EngineResult(library, library.done(stream));
    }

    @Override
    public void close() {
      if (!closed) {
        closed = true;
        if (!ended) {
          // The engine goes on to list a cancelled INSERT as running until its connection is
          // closed.
          taint();
          library.cancelInsert(stream);
        }
        library.destroyInsert(stream);
        end();
      }
    }
  }
}
