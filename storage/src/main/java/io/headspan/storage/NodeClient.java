package io.headspan.storage;

import com.clickhouse.client.api.ClickHouseException;
import com.clickhouse.client.api.Client;
import com.clickhouse.client.api.ClientFaultCause;
import com.clickhouse.client.api.ServerException;
import com.clickhouse.client.api.insert.InsertResponse;
import com.clickhouse.client.api.insert.InsertSettings;
import com.clickhouse.client.api.query.QueryResponse;
import com.clickhouse.client.api.query.QuerySettings;
import com.clickhouse.data.ClickHouseFormat;
import java.io.IOException;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;

/// One server: ClickHouse's Java client as this package uses it.
final class NodeClient implements StoreClient {
  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);

  /// What an answer may take longer than the query's own limit, before the connection is given up.
  private static final Duration ANSWER_GRACE = Duration.ofSeconds(5);

  private static final Duration COMMAND_LIMIT = Duration.ofSeconds(60);
  private static final int CONNECTIONS_MAX = 64;

  // Error codes, after ClickHouse's src/Common/ErrorCodes.cpp.
  private static final int TOO_MANY_PARTS = 252;

  /// An insert of ours whose data ClickHouse cannot read will never be read.
  private static final Set<Integer> BAD_DATA = Set.of(6, 8, 15, 16, 26, 27, 33, 44, 53, 117, 131);

  private static final Set<Integer> QUERY_LIMITS = Set.of(158, 159, 160, 191, 241, 290, 307, 396);

  /// Shortages, restarts and lost tables: a later try may do.
  private static final Set<Integer> PASSING =
      Set.of(
          3,
          60,
          81,
          164,
          173,
          192,
          193,
          194,
          202,
          203,
          209,
          210,
          236,
          242,
          243,
          TOO_MANY_PARTS,
          279,
          285,
          319,
          394,
          425,
          439,
          516,
          999);

  private final StoreAddress address;
  private final Map<String, String> readSettings;
  private final Client client;

  /// @param address of one node
  NodeClient(StoreAddress address) {
    this(address, Map.of());
  }

  /// @param readSettings what every SELECT has, unless it says otherwise
  NodeClient(StoreAddress address, Map<String, String> readSettings) {
    this.address = address;
    this.readSettings = readSettings;
    Client.Builder builder =
        new Client.Builder()
            .addEndpoint(address.endpoint())
            .setUsername(address.user())
            .setPassword(address.password())
            .setDefaultDatabase(address.database())
            .setClientName("headspan")
            .setMaxConnections(CONNECTIONS_MAX)
            .setConnectTimeout(CONNECT_LIMIT.toMillis(), ChronoUnit.MILLIS)
            .setConnectionRequestTimeout(CONNECT_LIMIT.toMillis(), ChronoUnit.MILLIS)
            .setSocketTimeout(COMMAND_LIMIT.toMillis(), ChronoUnit.MILLIS)
            // Blocks are compressed on disk; on the wire it would only cost both sides' CPU.
            .compressServerResponse(false)
            .compressClientRequest(false)
            // A kept-alive connection that the server has closed. All else is the caller's to try
            // again: it knows how long that makes sense.
            .retryOnFailures(ClientFaultCause.NoHttpResponse)
            .setMaxRetries(1);
    address.tls().authorities().ifPresent(file -> builder.setRootCertificate(file.toString()));
    address.tls().certificate().ifPresent(file -> builder.setClientCertificate(file.toString()));
    address.tls().key().ifPresent(file -> builder.setClientKey(file.toString()));
    client = builder.build();
  }

  @Override
  public void insert(String table, NativeSink block, Map<String, String> settings) {
    InsertSettings insert = new InsertSettings();
    insert.setNetworkTimeout(COMMAND_LIMIT.toMillis(), ChronoUnit.MILLIS);
    insert.serverSetting("wait_end_of_query", "1");
    insert.serverSetting("async_insert", "0");
    settings.forEach(insert::serverSetting);
    String what = "insert into " + table;
    CompletableFuture<InsertResponse> response =
        call(
            what,
            () -> client.insert(table, List.of(), block::writeTo, ClickHouseFormat.Native, insert));
    // The response says that the block is stored; it holds nothing else.
    join(what, response, BAD_DATA).close();
  }

  @Override
  public void command(String sql, Map<String, String> settings) {
    QuerySettings query = new QuerySettings();
    query.setNetworkTimeout(COMMAND_LIMIT.toMillis(), ChronoUnit.MILLIS);
    query.waitEndOfQuery(true);
    settings.forEach(query::serverSetting);
    String what = firstLine(sql);
    CompletableFuture<QueryResponse> response = call(what, () -> client.query(sql, query));
    closeAfter(what, join(what, response, Set.of()));
  }

  @Override
  public void run(SqlQuery sql) {
    QuerySettings query = settingsOf(sql, Map.of());
    String what = firstLine(sql.sql());
    closeAfter(what, join(what, call(what, () -> client.query(sql.sql(), query)), Set.of()));
  }

  /// @param defaults what the statement has, unless it says otherwise
  private static QuerySettings settingsOf(SqlQuery sql, Map<String, String> defaults) {
    QuerySettings query = new QuerySettings();
    // An error in the middle would otherwise only break the connection, and not say why.
    query.waitEndOfQuery(true);
    query.setNetworkTimeout(sql.timeout().plus(ANSWER_GRACE).toMillis(), ChronoUnit.MILLIS);
    query.serverSetting("max_execution_time", Double.toString(sql.timeout().toMillis() / 1000.0));
    query.serverSetting("max_memory_usage", Long.toString(sql.maxMemoryBytes()));
    defaults.forEach(query::serverSetting);
    sql.settings().forEach(query::serverSetting);
    sql.parameters()
        .forEach((name, value) -> query.serverSetting("param_" + name, SqlParameter.format(value)));
    return query;
  }

  @Override
  public void select(SqlQuery sql, Consumer<NativeBlock> blocks) {
    QuerySettings query = settingsOf(sql, readSettings);
    query.setFormat(ClickHouseFormat.Native);
    if (sql.maxResultRows() > 0) {
      query.serverSetting("max_result_rows", Long.toString(sql.maxResultRows()));
    }
    // What ends a query whose caller has gone; the embedded store does so by itself.
    query.serverSetting("cancel_http_readonly_queries_on_client_close", "1");
    sql.id().ifPresent(query::setQueryId);
    String what = "query";
    CompletableFuture<QueryResponse> pending = call(what, () -> client.query(sql.sql(), query));
    QueryResponse response = join(what, pending, Set.of());
    try {
      NativeInput in = new NativeInput(response.getInputStream());
      for (var block = NativeBlock.read(in); block.isPresent(); block = NativeBlock.read(in)) {
        blocks.accept(block.get());
      }
    } catch (NativeFormatException e) {
      throw new StoreException(
          StoreException.Kind.PROTOCOL,
          0,
          "answer of the store is not understood: address="
              + address
              + ", reason="
              + e.getMessage(),
          e);
    } catch (IOException e) {
      throw new StoreException(
          StoreException.Kind.UNAVAILABLE,
          0,
          "answer of the store broke off: address=" + address + ", reason=" + e.getMessage(),
          e);
    } finally {
      closeAfter(what, response);
    }
  }

  @Override
  public void cancel(String queryId) {
    client.cancelTransportRequest(queryId);
  }

  @Override
  public void close() {
    client.close();
  }

  private <T> T call(String what, java.util.function.Supplier<T> request) {
    try {
      return request.get();
    } catch (RuntimeException e) {
      throw failed(what, e, Set.of());
    }
  }

  private <T> T join(String what, CompletableFuture<T> response, Set<Integer> badData) {
    try {
      return response.join();
    } catch (CompletionException e) {
      throw failed(what, e.getCause() == null ? e : e.getCause(), badData);
    } catch (CancellationException | ClickHouseException e) {
      throw failed(what, e, badData);
    }
  }

  private void closeAfter(String what, QueryResponse response) {
    try {
      response.close();
    } catch (Exception e) {
      throw failed(what, e, Set.of());
    }
  }

  private StoreException failed(String what, Throwable cause, Set<Integer> badData) {
    if (cause instanceof ServerException error) {
      return new StoreException(
          kind(error, badData),
          error.getCode(),
          "store refused: request="
              + what
              + ", address="
              + address
              + ", error="
              + error.getMessage(),
          error);
    }
    return new StoreException(
        StoreException.Kind.UNAVAILABLE,
        0,
        "store cannot be reached: request="
            + what
            + ", address="
            + address
            + ", reason="
            + rootMessage(cause),
        cause);
  }

  private static StoreException.Kind kind(ServerException error, Set<Integer> badData) {
    int code = error.getCode();
    boolean insert = !badData.isEmpty();
    if (code == TOO_MANY_PARTS
        && String.valueOf(error.getMessage()).contains("Too many partitions")) {
      // Of one block: its spans are spread over more days than an insert may touch.
      return StoreException.Kind.REJECTED;
    }
    if (PASSING.contains(code)) {
      return StoreException.Kind.UNAVAILABLE;
    }
    if (insert) {
      // Our statement never changes, so what is not wrong with the data will pass.
      return badData.contains(code)
          ? StoreException.Kind.REJECTED
          : StoreException.Kind.UNAVAILABLE;
    }
    return QUERY_LIMITS.contains(code)
        ? StoreException.Kind.LIMIT_EXCEEDED
        : StoreException.Kind.REJECTED;
  }

  private static String rootMessage(Throwable cause) {
    Throwable root = cause;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getClass().getSimpleName() + ": " + root.getMessage();
  }

  private static String firstLine(String sql) {
    String text = sql.strip();
    int end = text.indexOf('\n');
    return end < 0 ? text : text.substring(0, end);
  }
}
