package io.headspan.storage.embedded;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/// The lease of a connection: one statement at a time, by one thread; only [#kill()] may be called
/// by others, at any time. Close it to give the connection back.
final class EngineSession implements AutoCloseable {
  /// An open connection of the engine. It keeps its settings from lease to lease, because opening
  /// another costs more than most statements.
  static final class Connection {
    final MemorySegment handle;

    /// The `log_comment` of its statements, by which they can be killed.
    final String mark;

    final String database;

    /// Settings that are not as the engine opened it. Only its lease touches them.
    private Map<String, String> settings = Map.of();

    Connection(MemorySegment handle, String mark, String database) {
      this.handle = handle;
      this.mark = mark;
      this.database = database;
    }
  }

  /// Settings that cannot be taken back, change others, or are ours ([Engine]).
  private static final Set<String> LASTING =
      Set.of("readonly", "profile", "log_comment", "implicit_select");

  private final Engine engine;
  private final LibChdb library;
  private final Connection owner;
  private final MemorySegment connection;
  private volatile boolean pristine = true;
  private boolean settingsKnown = true;

  /// Guarded by `this`: whether a statement of this lease may be running.
  private boolean running;

  EngineSession(Engine engine, LibChdb library, Connection connection) {
    this.engine = engine;
    this.library = library;
    this.owner = connection;
    this.connection = connection.handle;
  }

  Connection connection() {
    return owner;
  }

  /// Whether the connection can serve another request: but for its known settings, it is as the
  /// engine opened it.
  boolean isPristine() {
    return pristine && settingsKnown;
  }

  /// Says that the connection must not serve another request: a statement has changed its state.
  void taint() {
    pristine = false;
  }

  /// Gives the connection these settings for the lease, and to all others their defaults.
  ///
  /// @throws EngineException if one is unknown or has a bad value
  void set(Map<String, String> settings) throws EngineException {
    StringJoiner assignments = new StringJoiner(", ", "SET ", "").setEmptyValue("");
    for (String name : owner.settings.keySet()) {
      if (!settings.containsKey(name)) {
        assignments.add(name + " = DEFAULT");
      }
    }
    settings.forEach((name, value) -> {
      if (!value.equals(owner.settings.get(name))) {
        assignments.add(name + " = " + quoted(value));
      }
      if (LASTING.contains(name)) {
        pristine = false;
      }
    });
    String command = assignments.toString();
    if (command.isEmpty()) {
      return;
    }
    // If it fails, what it has changed is not known.
    settingsKnown = false;
    query(command.getBytes(StandardCharsets.UTF_8), "TabSeparated", Map.of()).close();
    owner.settings = Map.copyOf(settings);
    settingsKnown = true;
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
      engine.kill(owner.mark);
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
