package io.headspan.storage;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/// What a read of traces may give and use. One of many traces takes several statements, one after
/// the other. Immutable: every method returns a changed copy.
///
/// @param maxSpans the most spans of a trace: the earliest ones
/// @param tenants whose spans, as if there were no others; all if empty
/// @param timeout for all statements together
/// @param maxMemoryBytes of the store, for each statement
/// @param id names the read; its statements are [#statementIds()]
/// @param checkpoint is run before each statement, and ends the read by what it throws
public record TraceRead(
    int maxSpans,
    List<String> tenants,
    Duration timeout,
    long maxMemoryBytes,
    Optional<String> id,
    Runnable checkpoint) {
  /// In turns, for a statement may begin before the store has forgotten the one before it.
  private static final int IDS = 2;

  private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);
  private static final long DEFAULT_MEMORY_BYTES = 2L << 30;

  public TraceRead {
    tenants = List.copyOf(tenants);
  }

  /// A read of all tenants' spans, limited to 30 s and 2 GiB of the store's memory.
  public static TraceRead of(int maxSpans) {
    return new TraceRead(
        maxSpans, List.of(), DEFAULT_TIMEOUT, DEFAULT_MEMORY_BYTES, Optional.empty(), () -> {});
  }

  /// Of some tenants only; of all if there are none.
  public TraceRead ofTenants(List<String> some) {
    return new TraceRead(maxSpans, some, timeout, maxMemoryBytes, id, checkpoint);
  }

  /// Ends the read after `limit`, or when a statement uses more of the store's memory.
  public TraceRead within(Duration limit, long memoryBytes) {
    return new TraceRead(maxSpans, tenants, limit, memoryBytes, id, checkpoint);
  }

  /// Names the read, so that [SpanStore#cancel] can end each of its statements.
  ///
  /// @param stop is run before each statement
  public TraceRead named(String name, Runnable stop) {
    return new TraceRead(maxSpans, tenants, timeout, maxMemoryBytes, Optional.of(name), stop);
  }

  /// What its statements are called, if it has a name.
  public List<String> statementIds() {
    return id.stream()
        .flatMap(name -> IntStream.range(0, IDS).mapToObj(i -> name + "-" + i))
        .toList();
  }
}
