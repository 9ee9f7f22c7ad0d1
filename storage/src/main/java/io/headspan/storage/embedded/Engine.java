package io.headspan.storage.embedded;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The engine on one data directory, and its connections. A connection runs one statement at a time
/// and keeps what SET and USE changed, so each request leases a [EngineSession] of its own, in its
/// database and with default settings; the engine opens one in about 0.3 ms.
///
/// One per process, ever: the library's engine is global and does not start again after it stopped.
/// Thread-safe.
final class Engine implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Engine.class);

  /// Idle sessions kept for each database; more are closed.
  private static final int IDLE_PER_DATABASE = 4;

  /// Databases that idle sessions are kept for.
  private static final int IDLE_DATABASES = 4;

  private static final Duration DRAIN_LIMIT = Duration.ofSeconds(30);
  private static final Duration KILL_INTERVAL = Duration.ofMillis(100);

  static final String DEFAULT_DATABASE = "default";

  private static final int MERGES_PER_THREAD = 8;

  private final LibChdb library;
  private final DataDirectory directory;
  private final MemorySegment control;
  private final String version;
  private final String timeZone;

  /// Guards `control`: a connection runs one statement at a time.
  private final Object controlLock = new Object();

  private final AtomicLong opened = new AtomicLong();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition returned = lock.newCondition();
  private final Map<String, ArrayDeque<EngineSession.Connection>> idle = new HashMap<>();
  private final Set<EngineSession> leased = new LinkedHashSet<>();
  private int opening;
  private boolean closing;

  private Engine(LibChdb library, DataDirectory directory, MemorySegment control)
      throws EngineException {
    this.library = library;
    this.directory = directory;
    this.control = control;
    this.version = controlQuery("SELECT version()").strip();
    this.timeZone = controlQuery("SELECT timezone()").strip();
  }

  /// Starts the engine on `directory`, which it unlocks when it is closed.
  ///
  /// @throws StoreException if the engine refuses
  static Engine open(LibChdb library, DataDirectory directory, EngineLimits limits) {
    library.disableSignalHandlers();
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "clickhouse",
                "--path=" + directory.path(),
                "--max_server_memory_usage=" + limits.memoryBytes(),
                "--mark_cache_size=" + limits.markCacheBytes(),
                "--background_pool_size=" + limits.backgroundThreads(),
                // A merge of millions of spans takes a minute. With two slots a thread, taken in
                // turns, a few of those kept the small merges of all other tables waiting.
                "--background_merges_mutations_concurrency_ratio=" + MERGES_PER_THREAD,
                "--background_merges_mutations_scheduling_policy=shortest_task_first"));
    limits.config().ifPresent(file -> arguments.add("--config-file=" + file));
    MemorySegment control = library.connect(arguments);
    try {
      if (control == null) {
        if (directory.hasOtherEngine()) {
          throw directory.inUse();
        }
        throw new StoreException(
            StoreException.Kind.UNAVAILABLE,
            "embedded engine does not start: path="
                + directory.path()
                + "; it has written the reason to stderr");
      }
      return new Engine(library, directory, control);
    } catch (IOException | EngineException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "embedded engine does not answer: path=" + directory.path(),
          e);
    }
  }

  /// ClickHouse's version, e.g. `26.7.2.1`.
  String version() {
    return version;
  }

  /// The time zone of the engine, e.g. `Etc/UTC`.
  String timeZone() {
    return timeZone;
  }

  /// A session in `database`, to be closed by the caller. Its settings are what an earlier lease
  /// may have left: see [EngineSession#set].
  ///
  /// @throws EngineException if there is no such database
  /// @throws StoreException if the engine is closing
  EngineSession lease(String database) throws EngineException {
    EngineSession.Connection connection;
    lock.lock();
    try {
      if (closing) {
        throw new StoreException(StoreException.Kind.UNAVAILABLE, "embedded engine is stopping");
      }
      ArrayDeque<EngineSession.Connection> ready = idle.get(database);
      connection = ready == null ? null : ready.pollLast();
      if (connection != null) {
        return leased(connection);
      }
      opening++;
    } finally {
      lock.unlock();
    }
    try {
      connection = connect(database);
      lock.lock();
      try {
        return leased(connection);
      } finally {
        lock.unlock();
      }
    } finally {
      lock.lock();
      try {
        opening--;
        returned.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  private EngineSession leased(EngineSession.Connection connection) {
    EngineSession session = new EngineSession(this, library, connection);
    leased.add(session);
    return session;
  }

  /// Called by [EngineSession#close()].
  void release(EngineSession session) {
    EngineSession.Connection connection = session.connection();
    if (!keep(session, connection)) {
      // Closed before it leaves the set of leased ones, so that draining waits for it.
      library.close(connection.handle);
    }
    lock.lock();
    try {
      leased.remove(session);
      returned.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private boolean keep(EngineSession session, EngineSession.Connection connection) {
    lock.lock();
    try {
      if (!session.isPristine() || closing) {
        return false;
      }
      ArrayDeque<EngineSession.Connection> ready = idle.get(connection.database);
      if (ready == null) {
        if (idle.size() == IDLE_DATABASES) {
          return false;
        }
        ready = new ArrayDeque<>();
        idle.put(connection.database, ready);
      }
      if (ready.size() == IDLE_PER_DATABASE) {
        return false;
      }
      ready.addLast(connection);
      return true;
    } finally {
      lock.unlock();
    }
  }

  /// Asks the engine to end the statement that carries `mark`; it stops at its next block.
  void kill(String mark) {
    LOG.debug("Killing a statement: mark={}", mark);
    try {
      controlQuery("KILL QUERY WHERE Settings['log_comment'] = '" + mark + "' ASYNC");
    } catch (EngineException e) {
      LOG.warn("Statement cannot be killed: mark={}", mark, e);
    }
  }

  /// Ends everything in the only order that lets the process exit cleanly: no new sessions, kill
  /// what runs, wait for it, close every connection, stop the engine, unlock the directory.
  ///
  /// @throws StoreException if a statement does not end within 30 s; the process cannot exit
  ///   cleanly then
  @Override
  public void close() {
    lock.lock();
    try {
      if (closing) {
        return;
      }
      closing = true;
    } finally {
      lock.unlock();
    }
    drain();
    lock.lock();
    try {
      idle.values().forEach(ready -> ready.forEach(each -> library.close(each.handle)));
      idle.clear();
    } finally {
      lock.unlock();
    }
    synchronized (controlLock) {
      library.close(control);
    }
    boolean joined = library.shutdown();
    LOG.debug("Engine stopped: path={}, threadsJoined={}", directory.path(), joined);
    directory.close();
  }

  private void drain() {
    long deadline = System.nanoTime() + DRAIN_LIMIT.toNanos();
    while (true) {
      List<EngineSession> running;
      lock.lock();
      try {
        if (leased.isEmpty() && opening == 0) {
          return;
        }
        running = new ArrayList<>(leased);
      } finally {
        lock.unlock();
      }
      running.forEach(EngineSession::kill);
      lock.lock();
      try {
        if (System.nanoTime() >= deadline) {
          throw new StoreException(
              StoreException.Kind.UNAVAILABLE,
              "embedded engine cannot stop: statements still running=" + leased.size());
        }
        if (!leased.isEmpty() || opening > 0) {
          boolean signalled = returned.await(KILL_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
          LOG.trace("Draining: signalled={}", signalled);
        }
      } catch (InterruptedException e) {
        // Shutting down must not be cut short: an open connection aborts the process.
        LOG.debug("Interrupt ignored while draining", e);
      } finally {
        lock.unlock();
      }
    }
  }

  private EngineSession.Connection connect(String database) throws EngineException {
    String mark = "headspan-" + opened.incrementAndGet();
    MemorySegment connection =
        library.connect(
            List.of(
                "clickhouse",
                "--path=" + directory.path(),
                // The library's own convenience; a ClickHouse server has it off.
                "--implicit_select=0",
                "--log_comment=" + mark));
    if (connection == null) {
      throw EngineException.busy("The engine refuses another connection");
    }
    if (!database.equals(DEFAULT_DATABASE)) {
      String name = database.replace("\\", "\\\\").replace("`", "\\`");
      try {
        run(connection, "USE `" + name + "`");
      } catch (EngineException e) {
        library.close(connection);
        throw e;
      }
    }
    return new EngineSession.Connection(connection, mark, database);
  }

  /// Runs a statement on the connection that is nobody's session.
  String controlQuery(String sql) throws EngineException {
    synchronized (controlLock) {
      return run(control, sql);
    }
  }

  private String run(MemorySegment connection, String sql) throws EngineException {
    byte[] text = sql.getBytes(StandardCharsets.UTF_8);
    try (EngineResult result =
        new EngineResult(library, library.query(connection, text, "TabSeparated", Map.of()))) {
      return new String(result.copy(0, Math.toIntExact(result.length())), StandardCharsets.UTF_8);
    }
  }
}
