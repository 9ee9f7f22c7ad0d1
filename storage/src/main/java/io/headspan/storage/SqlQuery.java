package io.headspan.storage;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A SELECT with what it may use: values bound to its `{name:Type}` places, settings, and limits
/// that end it with [StoreException.Kind#LIMIT_EXCEEDED]. Immutable: every method returns a changed
/// copy.
///
/// Values of callers always go through [#bind], never into the text. A bound value may be a
/// `String`, a `Number`, a `Boolean`, or a `List` of those for an `Array` type. A trace id is bound
/// as 32 hex digits: `trace_id = unhex({id:String})`.
public final class SqlQuery {
  private static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);
  private static final long DEFAULT_MEMORY_BYTES = 2L << 30;

  private final String sql;
  private final Map<String, Object> parameters;
  private final Map<String, String> settings;
  private final Duration timeout;
  private final long maxMemoryBytes;
  private final long maxResultRows;
  private final Optional<String> id;

  private SqlQuery(
      String sql,
      Map<String, Object> parameters,
      Map<String, String> settings,
      Duration timeout,
      long maxMemoryBytes,
      long maxResultRows,
      Optional<String> id) {
    this.sql = sql;
    this.parameters = Collections.unmodifiableMap(parameters);
    this.settings = Collections.unmodifiableMap(settings);
    this.timeout = timeout;
    this.maxMemoryBytes = maxMemoryBytes;
    this.maxResultRows = maxResultRows;
    this.id = id;
  }

  /// A query without parameters, limited to 30 s, 2 GiB of the store's memory, and any number of
  /// rows.
  ///
  /// @param sql one SELECT, without FORMAT clause
  public static SqlQuery of(String sql) {
    return new SqlQuery(
        sql, Map.of(), Map.of(), DEFAULT_TIMEOUT, DEFAULT_MEMORY_BYTES, 0, Optional.empty());
  }

  /// Binds the place `{name:Type}`.
  ///
  /// @throws IllegalArgumentException if the value is of no type that can be bound
  public SqlQuery bind(String name, Object value) {
    checkBindable(name, value);
    Map<String, Object> changed = new LinkedHashMap<>(parameters);
    changed.put(name, value);
    return new SqlQuery(sql, changed, settings, timeout, maxMemoryBytes, maxResultRows, id);
  }

  /// Sets a ClickHouse setting for this query only.
  public SqlQuery setting(String name, String value) {
    Map<String, String> changed = new LinkedHashMap<>(settings);
    changed.put(name, value);
    return new SqlQuery(sql, parameters, changed, timeout, maxMemoryBytes, maxResultRows, id);
  }

  /// Ends the query after `limit`.
  public SqlQuery timeout(Duration limit) {
    return new SqlQuery(sql, parameters, settings, limit, maxMemoryBytes, maxResultRows, id);
  }

  /// Ends the query when it uses more of the store's memory.
  public SqlQuery maxMemoryBytes(long bytes) {
    return new SqlQuery(sql, parameters, settings, timeout, bytes, maxResultRows, id);
  }

  /// Ends the query when it gives more rows; 0 means any number.
  public SqlQuery maxResultRows(long rows) {
    return new SqlQuery(sql, parameters, settings, timeout, maxMemoryBytes, rows, id);
  }

  /// Names the query, so that [SpanStore#cancel] can end it.
  public SqlQuery id(String name) {
    return new SqlQuery(
        sql, parameters, settings, timeout, maxMemoryBytes, maxResultRows, Optional.of(name));
  }

  public String sql() {
    return sql;
  }

  public Map<String, Object> parameters() {
    return parameters;
  }

  public Map<String, String> settings() {
    return settings;
  }

  public Duration timeout() {
    return timeout;
  }

  public long maxMemoryBytes() {
    return maxMemoryBytes;
  }

  public long maxResultRows() {
    return maxResultRows;
  }

  public Optional<String> id() {
    return id;
  }

  @Override
  public String toString() {
    return sql;
  }

  private static void checkBindable(String name, Object value) {
    if (value instanceof List<?> list) {
      list.forEach(element -> checkBindable(name, element));
    } else if (!(value instanceof String || value instanceof Number || value instanceof Boolean)) {
      throw new IllegalArgumentException(
          "value cannot be bound: parameter=" + name + ", class=" + value.getClass().getName());
    }
  }
}
