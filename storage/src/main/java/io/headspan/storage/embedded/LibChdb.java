package io.headspan.storage.embedded;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.headspan.storage.StoreException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The functions of libchdb that we call, after `programs/local/chdb.h` of chdb-io/chdb-core 26.7.
/// Handles of the library are passed as [MemorySegment]s that only [Engine] and its sessions hold.
///
/// One per process: the library's engine is global.
@SuppressWarnings("restricted")
final class LibChdb {
  private static final Linker LINKER = Linker.nativeLinker();

  /// Longest error text read from the library.
  private static final long ERROR_MAX_BYTES = 1 << 20;

  private final MethodHandle version;
  private final MethodHandle setSignalHandlersEnabled;
  private final MethodHandle connect;
  private final MethodHandle closeConnection;
  private final MethodHandle shutdown;
  private final MethodHandle query;
  private final MethodHandle streamQuery;
  private final MethodHandle streamFetch;
  private final MethodHandle streamInsert;
  private final MethodHandle streamAppend;
  private final MethodHandle streamDone;
  private final MethodHandle streamCancelInsert;
  private final MethodHandle streamInsertError;
  private final MethodHandle destroyInsertStream;
  private final MethodHandle destroyResult;
  private final MethodHandle resultBuffer;
  private final MethodHandle resultLength;
  private final MethodHandle resultError;
  private final MethodHandle resultRows;
  private final MethodHandle rowsRead;
  private final MethodHandle bytesRead;
  private final MethodHandle rowsWritten;
  private final MethodHandle bytesWritten;

  private LibChdb(SymbolLookup library) {
    version = find(library, "chdb_version", FunctionDescriptor.of(ADDRESS));
    setSignalHandlersEnabled =
        find(library, "chdb_set_signal_handlers_enabled", FunctionDescriptor.ofVoid(JAVA_INT));
    connect = find(library, "chdb_connect", FunctionDescriptor.of(ADDRESS, JAVA_INT, ADDRESS));
    closeConnection = find(library, "chdb_close_conn", FunctionDescriptor.ofVoid(ADDRESS));
    shutdown = find(library, "chdb_shutdown", FunctionDescriptor.of(JAVA_INT));
    FunctionDescriptor withParameters =
        FunctionDescriptor.of(
            ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS,
            ADDRESS, JAVA_LONG);
    query = find(library, "chdb_query_with_params_n", withParameters);
    streamQuery = find(library, "chdb_stream_query_with_params_n", withParameters);
    streamFetch =
        find(library, "chdb_stream_fetch_result", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
    streamInsert = find(library, "chdb_stream_insert_with_params_n", withParameters);
    streamAppend =
        find(
            library,
            "chdb_stream_append",
            FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG));
    streamDone = find(library, "chdb_stream_done", FunctionDescriptor.of(ADDRESS, ADDRESS));
    streamCancelInsert =
        find(library, "chdb_stream_cancel_insert", FunctionDescriptor.ofVoid(ADDRESS));
    streamInsertError =
        find(library, "chdb_stream_insert_error", FunctionDescriptor.of(ADDRESS, ADDRESS));
    destroyInsertStream =
        find(library, "chdb_destroy_insert_stream", FunctionDescriptor.ofVoid(ADDRESS));
    destroyResult = find(library, "chdb_destroy_query_result", FunctionDescriptor.ofVoid(ADDRESS));
    resultBuffer = find(library, "chdb_result_buffer", FunctionDescriptor.of(ADDRESS, ADDRESS));
    resultLength = find(library, "chdb_result_length", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
    resultError = find(library, "chdb_result_error", FunctionDescriptor.of(ADDRESS, ADDRESS));
    FunctionDescriptor counter = FunctionDescriptor.of(JAVA_LONG, ADDRESS);
    resultRows = find(library, "chdb_result_rows_read", counter);
    rowsRead = find(library, "chdb_result_storage_rows_read", counter);
    bytesRead = find(library, "chdb_result_storage_bytes_read", counter);
    rowsWritten = find(library, "chdb_result_rows_written", counter);
    bytesWritten = find(library, "chdb_result_bytes_written", counter);
  }

  /// Loads the library. It stays loaded until the process ends.
  ///
  /// @throws StoreException if it cannot be loaded or lacks a function
  static LibChdb load(Path file) {
    SymbolLookup library;
    try {
      library = SymbolLookup.libraryLookup(file, Arena.global());
    } catch (IllegalArgumentException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "libchdb cannot be loaded: file=" + file + "; run ./dev setup to fetch it again",
          e);
    } catch (IllegalCallerException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "no native access: start Java with --enable-native-access=ALL-UNNAMED",
          e);
    }
    return new LibChdb(library);
  }

  /// Ends the process at once. `System.exit` and `halt` run the library's destructors, which have
  /// been seen to crash on what its threads still use.
  static void exitProcess(int exitCode) {
    MethodHandle exit =
        LINKER.downcallHandle(
            LINKER.defaultLookup().findOrThrow("_exit"), FunctionDescriptor.ofVoid(JAVA_INT));
    try {
      exit.invokeExact(exitCode);
    } catch (Throwable e) {
      throw failed("_exit", e);
    }
  }

  String version() {
    try {
      return text((MemorySegment) version.invokeExact());
    } catch (Throwable e) {
      throw failed("chdb_version", e);
    }
  }

  /// Must come before the first [#connect]: with the library's handlers in place the JVM hangs at
  /// its first StackOverflowError.
  void disableSignalHandlers() {
    try {
      setSignalHandlersEnabled.invokeExact(0);
    } catch (Throwable e) {
      throw failed("chdb_set_signal_handlers_enabled", e);
    }
  }

  /// Opens a connection; null if the library refuses, the reason goes to its stderr.
  @Nullable MemorySegment connect(List<String> arguments) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment array = arena.allocate(ADDRESS, arguments.size());
      for (int i = 0; i < arguments.size(); i++) {
        array.setAtIndex(ADDRESS, i, arena.allocateFrom(arguments.get(i)));
      }
      MemorySegment connection = (MemorySegment) connect.invokeExact(arguments.size(), array);
      return connection.address() == 0 ? null : connection.reinterpret(ADDRESS.byteSize());
    } catch (Throwable e) {
      throw failed("chdb_connect", e);
    }
  }

  /// No query may be running on the connection: closing it then aborts the process.
  void close(MemorySegment connection) {
    try {
      closeConnection.invokeExact(connection);
    } catch (Throwable e) {
      throw failed("chdb_close_conn", e);
    }
  }

  /// Joins the engine's threads. Every connection must be closed; none can be opened afterwards.
  ///
  /// @return whether no thread of the engine is left
  boolean shutdown() {
    try {
      return (int) shutdown.invokeExact() == 0;
    } catch (Throwable e) {
      throw failed("chdb_shutdown", e);
    }
  }

  /// Runs a statement to its end. The result must be destroyed.
  MemorySegment query(
      MemorySegment connection, byte[] sql, String format, Map<String, String> parameters) {
    return withParameters("chdb_query", query, connection, sql, format, parameters);
  }

  /// Starts a SELECT. The result is a handle for [#fetch] and must be destroyed.
  MemorySegment streamQuery(
      MemorySegment connection, byte[] sql, String format, Map<String, String> parameters) {
    return withParameters("chdb_stream_query", streamQuery, connection, sql, format, parameters);
  }

  /// The next chunk of a started SELECT, of length 0 at the end. The result must be destroyed.
  MemorySegment fetch(MemorySegment connection, MemorySegment stream) {
    try {
      return (MemorySegment) streamFetch.invokeExact(inner(connection), stream);
    } catch (Throwable e) {
      throw failed("chdb_stream_fetch_result", e);
    }
  }

  /// Starts an INSERT without FORMAT clause or data. The stream must be destroyed.
  MemorySegment streamInsert(
      MemorySegment connection, byte[] sql, String format, Map<String, String> parameters) {
    return withParameters("chdb_stream_insert", streamInsert, connection, sql, format, parameters);
  }

  /// Gives data to an INSERT; the library copies it, and blocks while its buffers are full.
  ///
  /// @return false if the INSERT has failed, see [#insertError]
  boolean append(MemorySegment stream, MemorySegment data, long length) {
    try {
      return (int) streamAppend.invokeExact(stream, data, length) == 0;
    } catch (Throwable e) {
      throw failed("chdb_stream_append", e);
    }
  }

  /// Ends the data of an INSERT and commits it. The result must be destroyed.
  MemorySegment done(MemorySegment stream) {
    try {
      return (MemorySegment) streamDone.invokeExact(stream);
    } catch (Throwable e) {
      throw failed("chdb_stream_done", e);
    }
  }

  /// Gives up an INSERT; nothing of its last block is stored.
  void cancelInsert(MemorySegment stream) {
    try {
      streamCancelInsert.invokeExact(stream);
    } catch (Throwable e) {
      throw failed("chdb_stream_cancel_insert", e);
    }
  }

  @Nullable String insertError(MemorySegment stream) {
    try {
      return textOrNull((MemorySegment) streamInsertError.invokeExact(stream));
    } catch (Throwable e) {
      throw failed("chdb_stream_insert_error", e);
    }
  }

  void destroyInsert(MemorySegment stream) {
    try {
      destroyInsertStream.invokeExact(stream);
    } catch (Throwable e) {
      throw failed("chdb_destroy_insert_stream", e);
    }
  }

  void destroyResult(MemorySegment result) {
    try {
      destroyResult.invokeExact(result);
    } catch (Throwable e) {
      throw failed("chdb_destroy_query_result", e);
    }
  }

  /// The bytes of a result, valid until it is destroyed.
  MemorySegment data(MemorySegment result) {
    try {
      long length = (long) resultLength.invokeExact(result);
      return length == 0
          ? MemorySegment.NULL
          : ((MemorySegment) resultBuffer.invokeExact(result)).reinterpret(length);
    } catch (Throwable e) {
      throw failed("chdb_result_buffer", e);
    }
  }

  @Nullable String error(MemorySegment result) {
    try {
      return textOrNull((MemorySegment) resultError.invokeExact(result));
    } catch (Throwable e) {
      throw failed("chdb_result_error", e);
    }
  }

  /// Rows of the result itself.
  long resultRows(MemorySegment result) {
    return count(resultRows, result);
  }

  /// Rows read from tables.
  long rowsRead(MemorySegment result) {
    return count(rowsRead, result);
  }

  long bytesRead(MemorySegment result) {
    return count(bytesRead, result);
  }

  /// Rows written, those of materialised views included.
  long rowsWritten(MemorySegment result) {
    return count(rowsWritten, result);
  }

  long bytesWritten(MemorySegment result) {
    return count(bytesWritten, result);
  }

  private static long count(MethodHandle counter, MemorySegment result) {
    try {
      return (long) counter.invokeExact(result);
    } catch (Throwable e) {
      throw failed("chdb_result counter", e);
    }
  }

  private static MemorySegment withParameters(
      String what,
      MethodHandle function,
      MemorySegment connection,
      byte[] sql,
      String format,
      Map<String, String> parameters) {
    try (Arena arena = Arena.ofConfined()) {
      int count = parameters.size();
      MemorySegment names = arena.allocate(ADDRESS, Math.max(1, count));
      MemorySegment nameLengths = arena.allocate(JAVA_LONG, Math.max(1, count));
      MemorySegment values = arena.allocate(ADDRESS, Math.max(1, count));
      MemorySegment valueLengths = arena.allocate(JAVA_LONG, Math.max(1, count));
      int i = 0;
      for (Map.Entry<String, String> parameter : parameters.entrySet()) {
        byte[] name = parameter.getKey().getBytes(StandardCharsets.UTF_8);
        byte[] value = parameter.getValue().getBytes(StandardCharsets.UTF_8);
        names.setAtIndex(ADDRESS, i, bytes(arena, name));
        nameLengths.setAtIndex(JAVA_LONG, i, name.length);
        values.setAtIndex(ADDRESS, i, bytes(arena, value));
        valueLengths.setAtIndex(JAVA_LONG, i, value.length);
        i++;
      }
      byte[] formatBytes = format.getBytes(StandardCharsets.UTF_8);
      return (MemorySegment)
          function.invokeExact(
              inner(connection),
              bytes(arena, sql),
              (long) sql.length,
              bytes(arena, formatBytes),
              (long) formatBytes.length,
              names,
              nameLengths,
              values,
              valueLengths,
              (long) count);
    } catch (Throwable e) {
      throw failed(what, e);
    }
  }

  /// The connection that `chdb_connection *` points at.
  private static MemorySegment inner(MemorySegment connection) {
    return connection.get(ADDRESS, 0);
  }

  private static MemorySegment bytes(Arena arena, byte[] source) {
    // One byte more, so that an empty text still has an address.
    MemorySegment copy = arena.allocate(source.length + 1L);
    MemorySegment.copy(source, 0, copy, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, source.length);
    return copy;
  }

  private static @Nullable String textOrNull(MemorySegment address) {
    return address.address() == 0 ? null : text(address);
  }

  private static String text(MemorySegment address) {
    return address.reinterpret(ERROR_MAX_BYTES).getString(0);
  }

  private static MethodHandle find(SymbolLookup library, String name, FunctionDescriptor type) {
    MemorySegment address =
        library
            .find(name)
            .orElseThrow(() ->
                new StoreException(
                    StoreException.Kind.UNAVAILABLE,
                    "libchdb lacks a function: name="
                        + name
                        + "; run ./dev setup to fetch the right version"));
    return LINKER.downcallHandle(address, type);
  }

  private static RuntimeException failed(String function, Throwable cause) {
    if (cause instanceof Error error) {
      throw error;
    }
    if (cause instanceof RuntimeException exception) {
      return exception;
    }
    return new IllegalStateException("call of libchdb failed: function=" + function, cause);
  }
}
