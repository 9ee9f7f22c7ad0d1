package io.headspan.storage.embedded;

import io.headspan.storage.StoreException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Puts INSERTs together that wait for the same table: an INSERT costs some 50 ms of CPU time
/// however few its rows are, for the parts that it makes in the table and in those that views fill,
/// so twenty small ones a second would be a core.
///
/// Only INSERTs that name themselves (`insert_deduplication_token`) in Native format. Each is
/// stored once or not at all as before, see [InsertJournal]: its sender is answered when it is
/// stored, and if it comes again, in whatever company, it is known.
///
/// Each table has a thread while there is something to do. An INSERT that finds it idle is carried
/// out at once; those that come meanwhile are the next group. Groups of several begin at least
/// [#PACE_NS] apart, unless they are full.
///
/// Thread-safe.
final class GroupedInserts implements AutoCloseable {
  /// INSERTs in a group. [StoredTokens] keeps as many for each group at the most.
  private static final int MEMBERS_MAX = 32;

  /// Bytes from which on a group is full: some 150,000 spans. The engine needs ten times as much
  /// memory to store one, so it is less where that is little.
  private static final long GROUP_MAX_BYTES = 32 << 20;

  private static final long GROUP_MIN_BYTES = 1 << 20;
  private static final int MEMORY_SHARE = 64;

  /// A larger INSERT is handed to the engine as it comes.
  private static final int MEMBER_MAX_BYTES = 16 << 20;

  /// What all that wait may have in memory.
  private static final int WAITING_MAX_BYTES =
      Math.clamp(Runtime.getRuntime().maxMemory() / 3, 2 * MEMBER_MAX_BYTES, 96 << 20);

  private static final long PACE_NS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final long LINGER_NS = TimeUnit.SECONDS.toNanos(1);
  private static final int KIB = 1024;

  /// Errors that ClickHouse raises before it has written anything: of the statement, its data, or
  /// the number of their partitions (`src/Common/ErrorCodes.cpp`).
  private static final Set<Integer> NOTHING_STORED =
      Set.of(6, 8, 15, 16, 26, 27, 33, 44, 46, 47, 48, 50, 53, 60, 62, 73, 81, 115, 117, 131);

  private static final int TOO_MANY_PARTS = 252;
  private static final int NOT_ENOUGH_SPACE = 243;

  private static final Logger LOG = LoggerFactory.getLogger(GroupedInserts.class);

  /// What tells a table from one that had its name before; "" where databases know no such thing.
  private static final String TABLE_ID =
      "if(toUInt128(uuid) = 0, '', lower(hex(reinterpret(uuid, 'FixedString(16)'))))";

  private static final byte[] TABLE_SQL =
      ("SELECT "
              + TABLE_ID
              + " FROM system.tables WHERE database = {database:String} AND name = {table:String}")
          .getBytes(StandardCharsets.UTF_8);

  private final Engine engine;
  private final InsertJournal journal;
  private final long groupBytes;
  private final Semaphore roomKib = new Semaphore(WAITING_MAX_BYTES / KIB, true);
  private final ReentrantLock lock = new ReentrantLock();

  /// Guarded by `lock`, as is all in them.
  private final Map<Statement.Table, Lane> lanes = new HashMap<>();

  private final Set<Thread> threads = new HashSet<>();
  private boolean closing;

  /// @param memoryBytes what the engine may use
  GroupedInserts(Engine engine, InsertJournal journal, long memoryBytes) {
    this.engine = engine;
    this.journal = journal;
    groupBytes = Math.clamp(memoryBytes / MEMORY_SHARE, GROUP_MIN_BYTES, GROUP_MAX_BYTES);
  }

  /// Carries out what was under way when the store ended. To be called before anything is inserted.
  ///
  /// @throws IOException if the journal cannot be read or written
  /// @throws EngineException if the engine does not answer
  void finishLeft() throws IOException, EngineException {
    Set<String> tables =
        Set.of(
            engine.controlQuery("SELECT DISTINCT " + TABLE_ID + " FROM system.tables").split("\n"));
    journal.retain(tables);
    List<InsertGroup> left = journal.left();
    for (InsertGroup group : left) {
      if (group.table().isEmpty() || !tables.contains(group.table())) {
        LOG.info("Inserts dropped with their table: file={}", group.file());
        journal.drop(group);
        continue;
      }
      try {
        var _ = carryOut(group);
        journal.stored(group);
      } catch (EngineException e) {
        LOG.error("Inserts that were under way are not stored: file={}", group.file(), e);
        journal.keep(group);
      }
    }
    if (!left.isEmpty()) {
      LOG.info("Inserts that were under way are stored: groups={}", left.size());
    }
  }

  /// Whether an INSERT can be put together with others.
  static boolean takes(GatewayRequest request, Statement.Insert insert) {
    return insert.format().orElse(request.inputFormat()).equalsIgnoreCase("Native")
        && !request.settings().getOrDefault(InsertForm.TOKEN, "").isEmpty()
        && !request.settings().getOrDefault("insert_deduplicate", "1").equals("0");
  }

  /// Reads the rows of an INSERT, once there is room. What is whole is to be given to [#insert],
  /// what is not to [#release] once it is not needed.
  InsertData read(InputStream in) throws IOException {
    int reserved = MEMBER_MAX_BYTES / KIB + 1;
    roomKib.acquireUninterruptibly(reserved);
    int kept = 0;
    try {
      InsertData data = InsertData.read(in, MEMBER_MAX_BYTES);
      kept = kib(data);
      return data;
    } finally {
      roomKib.release(reserved - kept);
    }
  }

  /// Gives back the room of what [#read] has read.
  void release(InsertData data) {
    roomKib.release(kib(data));
  }

  /// Stores rows.
  ///
  /// @param data from [#read], whole
  /// @return completes when they are stored; with [EngineException] if they are not
  CompletableFuture<StatementSummary> insert(InsertForm form, String token, InsertData data) {
    CompletableFuture<StatementSummary> done = new CompletableFuture<>();
    WaitingInsert insert = new WaitingInsert(form, token, data, done);
    lock.lock();
    try {
      if (!closing) {
        Statement.Table table = new Statement.Table(form.tableDatabase(), form.table().name());
        Lane lane = lanes.get(table);
        if (lane == null) {
          lane = new Lane(table);
          lanes.put(table, lane);
          lane.start();
        }
        lane.add(insert);
        return done;
      }
    } finally {
      lock.unlock();
    }
    fail(List.of(insert), EngineException.busy("The store is stopping"));
    return done;
  }

  /// Takes no more, and gives up what has not begun; the engine is to end what has.
  void stop() {
    lock.lock();
    try {
      closing = true;
      lanes.values().forEach(Lane::wake);
    } finally {
      lock.unlock();
    }
  }

  /// Waits for what has begun.
  @Override
  public void close() {
    stop();
    List<Thread> running;
    lock.lock();
    try {
      running = List.copyOf(threads);
    } finally {
      lock.unlock();
    }
    try {
      for (Thread each : running) {
        each.join();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    journal.close();
  }

  private static int kib(InsertData data) {
    return (data.length() + KIB - 1) / KIB;
  }

  /// Stores INSERTs of one form, of one table.
  private void store(Statement.Table name, List<WaitingInsert> inserts) {
    InsertForm form = inserts.getFirst().form();
    try {
      String table = tableId(name);
      if (table.isEmpty()) {
        for (WaitingInsert each : inserts) {
          storeUnknown(each);
        }
        return;
      }
      Map<String, List<WaitingInsert>> byToken = new LinkedHashMap<>();
      for (WaitingInsert each : inserts) {
        byToken.computeIfAbsent(each.token(), _ -> new ArrayList<>()).add(each);
      }
      List<WaitingInsert> fresh = new ArrayList<>();
      Map<InsertGroup, List<WaitingInsert>> unfinished = new LinkedHashMap<>();
      for (List<WaitingInsert> same : byToken.values()) {
        String token = same.getFirst().token();
        Optional<InsertGroup> group = journal.unfinished(table, token);
        if (journal.isStored(table, token)) {
          succeed(same, new StatementSummary());
        } else if (group.isPresent()) {
          unfinished.computeIfAbsent(group.get(), _ -> new ArrayList<>()).addAll(same);
        } else {
          fresh.add(same.getFirst());
        }
      }
      for (Map.Entry<InsertGroup, List<WaitingInsert>> each : unfinished.entrySet()) {
        store(each.getKey(), each.getValue());
      }
      if (journal.isAlone()) {
        for (WaitingInsert each : fresh) {
          store(table, form, List.of(each));
        }
      } else if (!fresh.isEmpty()) {
        store(table, form, fresh);
      }
      for (List<WaitingInsert> same : byToken.values()) {
        CompletableFuture<StatementSummary> first = same.getFirst().done();
        same.subList(1, same.size()).forEach(each -> follow(first, each.done()));
      }
    } catch (EngineException e) {
      fail(inserts, e);
    } catch (IOException e) {
      LOG.warn("Inserts cannot be written to the journal", e);
      fail(inserts, notWritten(e));
    } catch (StoreException e) {
      fail(inserts, EngineException.busy(String.valueOf(e.getMessage())));
    } catch (RuntimeException | Error e) {
      inserts.forEach(each -> each.done().completeExceptionally(e));
      throw e;
    }
  }

  /// Stores an INSERT of which only the engine knows.
  private void storeUnknown(WaitingInsert insert) throws IOException {
    InsertGroup group = journal.write("", insert.form(), List.of(insert));
    try {
      succeed(List.of(insert), carryOut(group));
    } catch (EngineException e) {
      fail(List.of(insert), e);
    } finally {
      journal.drop(group);
    }
  }

  /// Gives one that came twice the outcome of the first.
  private static void follow(
      CompletableFuture<StatementSummary> first, CompletableFuture<StatementSummary> other) {
    var _ =
        first.whenComplete((summary, failure) -> {
          var _ = failure == null ? other.complete(summary) : other.completeExceptionally(failure);
        });
  }

  private void store(String table, InsertForm form, List<WaitingInsert> members)
      throws IOException {
    store(journal.write(table, form, members), members);
  }

  /// @param members those whose senders wait for it
  private void store(InsertGroup group, List<WaitingInsert> members) throws IOException {
    boolean again = journal.isKept(group);
    // However this ends, the engine may have a part of it, unless it is known that it has not.
    journal.keep(group);
    try {
      StatementSummary summary = carryOut(group);
      journal.stored(group);
      succeed(members, summary);
    } catch (EngineException e) {
      if (again || !leavesNothing(e)) {
        LOG.warn("Group of inserts not stored: file={}", group.file(), e);
        fail(members, e);
        return;
      }
      journal.drop(group);
      if (members.size() == 1) {
        fail(members, e);
        return;
      }
      // One may be what is wrong.
      for (WaitingInsert each : members) {
        store(group.table(), group.form(), List.of(each));
      }
    }
  }

  private StatementSummary carryOut(InsertGroup group) throws IOException, EngineException {
    StatementSummary summary = new StatementSummary();
    InsertForm form = group.form();
    try (EngineSession session = engine.lease(form.database())) {
      session.set(form.settings(group.token()));
      byte[] head = form.head().getBytes(StandardCharsets.UTF_8);
      try (EngineSession.Insert insert = session.insert(head, "Native", form.parameters())) {
        group.appendTo(insert);
        try (EngineResult result = insert.commit()) {
          result.addTo(summary);
        }
      }
    }
    LOG.debug("Inserts stored: members={}, file={}", group.tokens().size(), group.file());
    return summary;
  }

  /// The name of the table in the journal; "" if there is no such table.
  private String tableId(Statement.Table name) throws EngineException {
    try (EngineSession session = engine.lease(Engine.DEFAULT_DATABASE)) {
      session.set(Map.of());
      try (EngineResult result =
          session.query(
              TABLE_SQL,
              "TabSeparated",
              Map.of("database", name.database(), "table", name.name()))) {
        byte[] text = result.copy(0, Math.toIntExact(result.length()));
        return new String(text, StandardCharsets.UTF_8).strip();
      }
    }
  }

  private static boolean leavesNothing(EngineException e) {
    return NOTHING_STORED.contains(e.code())
        || (e.code() == TOO_MANY_PARTS
            && String.valueOf(e.getMessage()).contains("Too many partitions"));
  }

  private static EngineException notWritten(IOException e) {
    return EngineException.refusal(
        NOT_ENOUGH_SPACE, "NOT_ENOUGH_SPACE", "The journal of inserts cannot be written: " + e);
  }

  private static void succeed(List<WaitingInsert> inserts, StatementSummary summary) {
    inserts.forEach(each -> each.done().complete(summary));
  }

  private static void fail(List<WaitingInsert> inserts, EngineException reason) {
    inserts.forEach(each -> each.done().completeExceptionally(reason));
  }

  /// What waits for one table.
  private final class Lane {
    private final Statement.Table table;
    private final ArrayDeque<WaitingInsert> queue = new ArrayDeque<>();
    private final Condition changed = lock.newCondition();
    private long queuedBytes;
    private long begunNs;
    private boolean crowded;

    Lane(Statement.Table table) {
      this.table = table;
    }

    void start() {
      Thread thread =
          Thread.ofPlatform()
              .name("store-insert-" + table.name())
              .stackSize(HttpGateway.STATEMENT_STACK_BYTES)
              .unstarted(this::run);
      threads.add(thread);
      thread.start();
    }

    void add(WaitingInsert insert) {
      queue.add(insert);
      queuedBytes += insert.data().length();
      changed.signal();
    }

    void wake() {
      changed.signal();
    }

    private void run() {
      try {
        for (List<WaitingInsert> taken = take(); !taken.isEmpty(); taken = take()) {
          try {
            store(table, taken);
          } finally {
            taken.forEach(each -> release(each.data()));
          }
        }
      } finally {
        end();
      }
    }

    /// Waits for the next group; empty if there is none for a while.
    private List<WaitingInsert> take() {
      lock.lock();
      try {
        await(System.nanoTime() + LINGER_NS, () -> !queue.isEmpty());
        if (crowded) {
          await(begunNs + PACE_NS, this::isFull);
        }
        if (closing || queue.isEmpty()) {
          var _ = lanes.remove(table, this);
          return List.of();
        }
        begunNs = System.nanoTime();
        List<WaitingInsert> group = takeGroup();
        crowded = group.size() > 1;
        return group;
      } finally {
        lock.unlock();
      }
    }

    private void await(long untilNs, BooleanSupplier condition) {
      for (long left = untilNs - System.nanoTime();
          left > 0 && !closing && !condition.getAsBoolean();
          left = untilNs - System.nanoTime()) {
        try {
          var _ = changed.awaitNanos(left);
        } catch (InterruptedException e) {
          throw new IllegalStateException("nobody interrupts this thread", e);
        }
      }
    }

    private boolean isFull() {
      return queue.size() >= MEMBERS_MAX || queuedBytes >= groupBytes;
    }

    /// Those of the first one's form, in order, as many as a group may have.
    private List<WaitingInsert> takeGroup() {
      List<WaitingInsert> group = new ArrayList<>();
      InsertForm form = queue.getFirst().form();
      long bytes = 0;
      for (Iterator<WaitingInsert> each = queue.iterator(); each.hasNext(); ) {
        WaitingInsert insert = each.next();
        if (group.size() == MEMBERS_MAX || (!group.isEmpty() && bytes >= groupBytes)) {
          break;
        }
        if (insert.form().equals(form)) {
          each.remove();
          group.add(insert);
          bytes += insert.data().length();
        }
      }
      queuedBytes -= bytes;
      return group;
    }

    private void end() {
      List<WaitingInsert> left;
      lock.lock();
      try {
        var _ = lanes.remove(table, this);
        threads.remove(Thread.currentThread());
        left = List.copyOf(queue);
        queue.clear();
      } finally {
        lock.unlock();
      }
      left.forEach(each -> release(each.data()));
      fail(left, EngineException.busy("The store is stopping"));
    }
  }
}
