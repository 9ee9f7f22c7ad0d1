package io.headspan.wasm.host;

import io.headspan.wasm.engine.GuestExit;
import io.headspan.wasm.engine.GuestMemory;
import io.headspan.wasm.engine.GuestTrap;
import io.headspan.wasm.engine.HostFunction;
import io.headspan.wasm.engine.TrapKind;
import io.headspan.wasm.module.Signature;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// WASI preview 1 (`wasi_snapshot_preview1`) for a world that has a request on standard input, a
/// response on standard output, arguments, environment, clocks, random bytes, and nothing else: no
/// file, directory or socket. All of its functions can be imported, as compilers link many that a
/// program never calls; those on files answer that the descriptor is not open.
///
/// Chicory has a WASI of its own. This one is here because it is the border of the sandbox: it
/// holds no code that could reach a host file, copies no more than a limit allows whatever length a
/// guest gives, ends a sleep at the deadline, and is linked once per module and not once per
/// instance.
///
/// Layouts and error numbers:
/// <https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md>.
final class WasiFunctions {
  private static final String MODULE = "wasi_snapshot_preview1";

  private static final long SUCCESS = 0;
  private static final long BADF = 8;
  private static final long INVAL = 28;
  private static final long NOTDIR = 54;
  private static final long NOTSUP = 58;
  private static final long SPIPE = 70;

  private static final int STDIN = 0;
  private static final int STDOUT = 1;
  private static final int STDERR = 2;

  private static final int CLOCK_REALTIME = 0;
  private static final int CLOCK_MONOTONIC = 1;
  private static final int CLOCKS = 4;

  private static final long RIGHT_FD_READ = 1L << 1;
  private static final long RIGHT_FD_WRITE = 1L << 6;
  private static final long RIGHT_POLL_FD_READWRITE = 1L << 27;

  private static final int SUBSCRIPTION_BYTES = 48;
  private static final int EVENT_BYTES = 32;
  private static final int EVENT_CLOCK = 0;
  private static final int SUBSCRIPTIONS_MAX = 1_024;
  private static final int ABSOLUTE_TIME = 1;

  private static final int IO_VECTORS_MAX = 1_024;
  private static final int RANDOM_CHUNK_BYTES = 4_096;

  private WasiFunctions() {}

  static List<HostFunction<Invocation>> all() {
    List<HostFunction<Invocation>> all = new ArrayList<>();
    all.add(function("args_sizes_get", "ii>i", (i, m, a) -> sizes(m, a, arguments(i))));
    all.add(function("args_get", "ii>i", (i, m, a) -> strings(m, a, arguments(i))));
    all.add(function("environ_sizes_get", "ii>i", (i, m, a) -> sizes(m, a, environment(i))));
    all.add(function("environ_get", "ii>i", (i, m, a) -> strings(m, a, environment(i))));
    all.add(function("clock_res_get", "ii>i", WasiFunctions::clockResolution));
    all.add(function("clock_time_get", "ili>i", WasiFunctions::clockTime));
    all.add(function("random_get", "ii>i", WasiFunctions::random));
    // The kernel shares the processors among guests without being asked.
    all.add(function("sched_yield", ">i", (i, m, a) -> SUCCESS));
    all.add(function("proc_exit", "i>", WasiFunctions::exit));
    all.add(function("proc_raise", "i>i", WasiFunctions::raise));
    all.add(function("poll_oneoff", "iiii>i", WasiFunctions::poll));
    all.add(function("fd_read", "iiii>i", WasiFunctions::read));
    all.add(function("fd_write", "iiii>i", WasiFunctions::write));
    all.add(function("fd_fdstat_get", "ii>i", WasiFunctions::descriptorStatus));
    all.add(function("fd_filestat_get", "ii>i", WasiFunctions::fileStatus));
    all.add(function("fd_close", "i>i", (i, m, a) -> isOpen(a[0]) ? SUCCESS : BADF));
    all.add(function("fd_fdstat_set_flags", "ii>i", (i, m, a) -> isOpen(a[0]) ? SUCCESS : BADF));
    // Streams have no position, and there is no file that had one.
    for (String[] onFile :
        new String[][] {
          {"fd_advise", "illi>i"},
          {"fd_allocate", "ill>i"},
          {"fd_datasync", "i>i"},
          {"fd_fdstat_set_rights", "ill>i"},
          {"fd_filestat_set_size", "il>i"},
          {"fd_filestat_set_times", "illi>i"},
          {"fd_pread", "iiili>i"},
          {"fd_pwrite", "iiili>i"},
          {"fd_readdir", "iiili>i"},
          {"fd_renumber", "ii>i"},
          {"fd_seek", "ilii>i"},
          {"fd_sync", "i>i"},
          {"fd_tell", "ii>i"},
        }) {
      all.add(function(onFile[0], onFile[1], (i, m, a) -> isOpen(a[0]) ? SPIPE : BADF));
    }
    // A program asks for directories from descriptor 3 on until it hears that there are no more.
    all.add(function("fd_prestat_get", "ii>i", (i, m, a) -> BADF));
    all.add(function("fd_prestat_dir_name", "iii>i", (i, m, a) -> BADF));
    for (String[] onPath :
        new String[][] {
          {"path_create_directory", "iii>i"},
          {"path_filestat_get", "iiiii>i"},
          {"path_filestat_set_times", "iiiilli>i"},
          {"path_link", "iiiiiii>i"},
          {"path_open", "iiiiillii>i"},
          {"path_readlink", "iiiiii>i"},
          {"path_remove_directory", "iii>i"},
          {"path_rename", "iiiiii>i"},
          {"path_unlink_file", "iii>i"},
          {"sock_accept", "iii>i"},
          {"sock_recv", "iiiiii>i"},
          {"sock_send", "iiiii>i"},
          {"sock_shutdown", "ii>i"},
        }) {
      all.add(function(onPath[0], onPath[1], (i, m, a) -> isOpen(a[0]) ? NOTDIR : BADF));
    }
    all.add(function("path_symlink", "iiiii>i", (i, m, a) -> isOpen(a[2]) ? NOTDIR : BADF));
    return all;
  }

  private static HostFunction<Invocation> function(
      String name, String signature, HostFunction.Body<Invocation> body) {
    return new HostFunction<>(
        MODULE,
        name,
        Signature.of(signature),
        (invocation, memory, arguments) -> {
          invocation.countHostCall();
          return body.call(invocation, memory, arguments);
        });
  }

  private static boolean isOpen(long descriptor) {
    return descriptor >= STDIN && descriptor <= STDERR;
  }

  // ---- arguments and environment

  private static List<byte[]> arguments(Invocation invocation) {
    return List.of(terminated(invocation.request().function()));
  }

  /// Names of RFC 3875 (CGI) where it has one.
  private static List<byte[]> environment(Invocation invocation) {
    GuestRequest request = invocation.request();
    Map<String, String> environment = new LinkedHashMap<>();
    environment.put("REQUEST_METHOD", request.method());
    environment.put("SCRIPT_NAME", request.functionPath());
    environment.put("PATH_INFO", request.path());
    environment.put("QUERY_STRING", request.query());
    environment.put("CONTENT_LENGTH", Integer.toString(request.body().length));
    if (!request.contentType().isEmpty()) {
      environment.put("CONTENT_TYPE", request.contentType());
    }
    request
        .context()
        .ifPresent(context -> {
          environment.put("TRACEPARENT", context.traceparent());
          if (!context.traceState().isEmpty()) {
            environment.put("TRACESTATE", context.traceState());
          }
        });
    environment.put("HEADSPAN_TENANT", request.tenant());
    environment.put("HEADSPAN_FUNCTION", request.function());
    environment.put("HEADSPAN_VERSION", request.version());
    return environment.entrySet().stream()
        .map(e -> terminated(e.getKey() + "=" + e.getValue()))
        .toList();
  }

  private static byte[] terminated(String text) {
    return (text.replace('\0', ' ') + '\0').getBytes(StandardCharsets.UTF_8);
  }

  private static long sizes(GuestMemory memory, long[] arguments, List<byte[]> strings) {
    memory.writeInt((int) arguments[0], strings.size());
    memory.writeInt((int) arguments[1], strings.stream().mapToInt(s -> s.length).sum());
    return SUCCESS;
  }

  private static long strings(GuestMemory memory, long[] arguments, List<byte[]> strings) {
    int pointers = (int) arguments[0];
    int text = (int) arguments[1];
    for (byte[] string : strings) {
      memory.writeInt(pointers, text);
      memory.write(text, string, 0, string.length);
      pointers += Integer.BYTES;
      text += string.length;
    }
    return SUCCESS;
  }

  // ---- clocks and chance

  private static long clockResolution(Invocation invocation, GuestMemory memory, long[] arguments) {
    long clock = arguments[0];
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) {
      return clock > 0 && clock < CLOCKS ? NOTSUP : INVAL;
    }
    memory.writeLong((int) arguments[1], clock == CLOCK_REALTIME ? 1_000 : 1);
    return SUCCESS;
  }

  private static long clockTime(Invocation invocation, GuestMemory memory, long[] arguments) {
    long clock = arguments[0];
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC) {
      return clock > 0 && clock < CLOCKS ? NOTSUP : INVAL;
    }
    memory.writeLong((int) arguments[2], now(invocation, (int) clock));
    return SUCCESS;
  }

  private static long now(Invocation invocation, int clock) {
    if (clock == CLOCK_MONOTONIC) {
      return System.nanoTime();
    }
    Instant now = invocation.clock().instant();
    return now.getEpochSecond() * 1_000_000_000L + now.getNano();
  }

  private static long random(Invocation invocation, GuestMemory memory, long[] arguments) {
    int address = (int) arguments[0];
    int length = (int) arguments[1];
    memory.checkRange(address, length);
    byte[] chunk = new byte[Math.min(length, RANDOM_CHUNK_BYTES)];
    for (int done = 0; done < length; done += chunk.length) {
      int size = Math.min(chunk.length, length - done);
      checkInterrupt();
      invocation.random().fill(chunk, 0, size);
      memory.write(address + done, chunk, 0, size);
    }
    return SUCCESS;
  }

  // ---- the process

  private static long exit(Invocation invocation, GuestMemory memory, long[] arguments) {
    throw new GuestExit((int) arguments[0]);
  }

  private static long raise(Invocation invocation, GuestMemory memory, long[] arguments) {
    throw new GuestExit(128 + (int) (arguments[0] & 0x7f));
  }

  // ---- standard streams

  private static long read(Invocation invocation, GuestMemory memory, long[] arguments) {
    if (arguments[0] != STDIN) {
      return isOpen(arguments[0]) ? NOTSUP : BADF;
    }
    int vectors = (int) arguments[1];
    int count = (int) arguments[2];
    if (Integer.compareUnsigned(count, IO_VECTORS_MAX) > 0) {
      return INVAL;
    }
    int total = 0;
    for (int i = 0; i < count && invocation.inputLeft() > 0; i++) {
      int address = memory.readInt(vectors + i * 8);
      int length = memory.readInt(vectors + i * 8 + 4);
      int left = invocation.inputLeft();
      int taken = Integer.compareUnsigned(length, left) < 0 ? length : left;
      memory.checkRange(address, taken);
      memory.write(address, invocation.request().body(), invocation.advanceInput(taken), taken);
      total += taken;
    }
    memory.writeInt((int) arguments[3], total);
    return SUCCESS;
  }

  private static long write(Invocation invocation, GuestMemory memory, long[] arguments) {
    if (arguments[0] != STDOUT && arguments[0] != STDERR) {
      return isOpen(arguments[0]) ? NOTSUP : BADF;
    }
    int vectors = (int) arguments[1];
    int count = (int) arguments[2];
    if (Integer.compareUnsigned(count, IO_VECTORS_MAX) > 0) {
      return INVAL;
    }
    int total = 0;
    for (int i = 0; i < count; i++) {
      int address = memory.readInt(vectors + i * 8);
      int length = memory.readInt(vectors + i * 8 + 4);
      memory.checkRange(address, length);
      if (arguments[0] == STDOUT) {
        int at = invocation.growOutput(length);
        memory.read(address, invocation.output(), at, length);
      } else {
        invocation.writeError(memory, address, length);
      }
      total += length;
    }
    memory.writeInt((int) arguments[3], total);
    return SUCCESS;
  }

  private static long descriptorStatus(
      Invocation invocation, GuestMemory memory, long[] arguments) {
    if (!isOpen(arguments[0])) {
      return BADF;
    }
    int address = (int) arguments[1];
    // Type "unknown", as of a pipe: neither a file, which could be sought, nor a terminal.
    memory.writeLong(address, 0);
    long right = arguments[0] == STDIN ? RIGHT_FD_READ : RIGHT_FD_WRITE;
    memory.writeLong(address + 8, right | RIGHT_POLL_FD_READWRITE);
    memory.writeLong(address + 16, 0);
    return SUCCESS;
  }

  private static long fileStatus(Invocation invocation, GuestMemory memory, long[] arguments) {
    if (!isOpen(arguments[0])) {
      return BADF;
    }
    memory.write((int) arguments[1], new byte[64], 0, 64);
    return SUCCESS;
  }

  // ---- waiting

  /// Streams are always ready; if there are only clocks, sleeps until the first of them.
  private static long poll(Invocation invocation, GuestMemory memory, long[] arguments) {
    int subscriptions = (int) arguments[0];
    int events = (int) arguments[1];
    int count = (int) arguments[2];
    if (count == 0 || Integer.compareUnsigned(count, SUBSCRIPTIONS_MAX) > 0) {
      return INVAL;
    }
    long waitNs = Long.MAX_VALUE;
    for (int i = 0; i < count; i++) {
      waitNs = Math.min(waitNs, waitNs(invocation, memory, subscriptions + i * SUBSCRIPTION_BYTES));
    }
    sleep(waitNs);
    int written = 0;
    for (int i = 0; i < count; i++) {
      int subscription = subscriptions + i * SUBSCRIPTION_BYTES;
      // What was due when the sleep began is due now; later clocks are not.
      if (isDue(invocation, memory, subscription, waitNs)) {
        writeEvent(memory, subscription, events + written * EVENT_BYTES);
        written++;
      }
    }
    memory.writeInt((int) arguments[3], written);
    return SUCCESS;
  }

  private static long waitNs(Invocation invocation, GuestMemory memory, int subscription) {
    if ((memory.readInt(subscription + 8) & 0xff) != EVENT_CLOCK) {
      return 0;
    }
    int clock = memory.readInt(subscription + 16);
    long timeout = memory.readLong(subscription + 24);
    boolean absolute = (memory.readInt(subscription + 40) & ABSOLUTE_TIME) != 0;
    if (absolute) {
      timeout -= now(invocation, clock == CLOCK_MONOTONIC ? CLOCK_MONOTONIC : CLOCK_REALTIME);
      return Math.max(timeout, 0);
    }
    // The number is unsigned; three hundred years are as good as six hundred.
    return timeout < 0 ? Long.MAX_VALUE : timeout;
  }

  private static boolean isDue(
      Invocation invocation, GuestMemory memory, int subscription, long sleptNs) {
    boolean absolute =
        (memory.readInt(subscription + 8) & 0xff) == EVENT_CLOCK
            && (memory.readInt(subscription + 40) & ABSOLUTE_TIME) != 0;
    return waitNs(invocation, memory, subscription) <= (absolute ? 0 : sleptNs);
  }

  private static void writeEvent(GuestMemory memory, int subscription, int event) {
    memory.writeLong(event, memory.readLong(subscription));
    memory.writeLong(event + 8, (memory.readInt(subscription + 8) & 0xffL) << 16);
    memory.writeLong(event + 16, 0);
    memory.writeLong(event + 24, 0);
  }

  private static void sleep(long durationNs) {
    try {
      Thread.sleep(durationNs / 1_000_000, (int) (durationNs % 1_000_000));
    } catch (InterruptedException e) {
      // The flag stays, for whoever called the guest; the guest itself ends here.
      Thread.currentThread().interrupt();
      throw interrupted();
    }
  }

  private static void checkInterrupt() {
    if (Thread.currentThread().isInterrupted()) {
      throw interrupted();
    }
  }

  private static GuestTrap interrupted() {
    return new GuestTrap(TrapKind.INTERRUPTED, "the guest was interrupted while it waited");
  }
}
