package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import org.jspecify.annotations.Nullable;

/// Collects what libbpf prints on the current thread while a call that may fail is under way.
/// libbpf calls its printer on the thread that called libbpf, so a message belongs to the call that
/// this thread is in; messages outside such a call belong to no failure and are left unformatted.
final class LibbpfLog implements AutoCloseable {
  private static final ThreadLocal<@Nullable LibbpfLog> CURRENT = new ThreadLocal<>();

  private final StringBuilder text = new StringBuilder();

  private LibbpfLog() {}

  /// Collects from now on; not nested, as no call into libbpf is.
  static LibbpfLog collect() {
    var log = new LibbpfLog();
    CURRENT.set(log);
    return log;
  }

  String text() {
    return text.toString();
  }

  /// `failed` as in [LibbpfException#failed], with this log.
  LibbpfException failed(String operation, String subject, int errno) {
    return LibbpfException.failed(operation, subject, errno, text());
  }

  @Override
  public void close() {
    CURRENT.remove();
  }

  /// The `libbpf_print_fn_t`: `int (*)(enum libbpf_print_level, const char *, va_list)`.
  static MethodHandle printer() {
    try {
      return MethodHandles.lookup()
          .findStatic(
              LibbpfLog.class,
              "print",
              MethodType.methodType(
                  int.class, int.class, MemorySegment.class, MemorySegment.class));
    } catch (ReflectiveOperationException failure) {
      throw new LinkageError(failure.getMessage(), failure);
    }
  }

  /// Called by libbpf. Nothing may be thrown across the native frames: the JVM would end.
  static int print(int level, MemorySegment format, MemorySegment arguments) {
    LibbpfLog log = CURRENT.get();
    if (log == null || level != Libbpf.LIBBPF_WARN) {
      return 0;
    }
    try {
      String message = format(format, arguments);
      log.text.append(message);
      return message.length();
    } catch (Throwable failure) {
      log.text.append("[a message of libbpf was lost: ").append(failure).append("]\n");
      return 0;
    }
  }

  private static String format(MemorySegment format, MemorySegment arguments) {
    try (Arena arena = Arena.ofConfined()) {
      // Formatting consumes a va_list, and a verifier log can be of any length: measure with a
      // copy, then format.
      MemorySegment copy = arena.allocate(Libbpf.VA_LIST_SIZE_BYTES, Long.BYTES);
      copy.copyFrom(Libbpf.memory(arguments, Libbpf.VA_LIST_SIZE_BYTES));
      int length = Libbpf.vsnprintf(MemorySegment.NULL, 0, format, copy);
      if (length < 0) {
        throw new IllegalStateException("vsnprintf failed: format=" + Libbpf.string(format));
      }
      MemorySegment buffer = arena.allocate(length + 1L, JAVA_INT.byteAlignment());
      Libbpf.vsnprintf(buffer, buffer.byteSize(), format, arguments);
      return buffer.getString(0);
    }
  }
}
