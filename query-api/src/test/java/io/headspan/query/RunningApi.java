package io.headspan.query;

import io.headspan.storage.SpanStore;
import io.headspan.storage.embedded.StoreProcess;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/// A store with the recorded spans, and a query API on it.
public final class RunningApi implements AutoCloseable {
  private final StoreProcess process;
  private final SpanStore store;
  private final QueryApi api;
  private final HttpClient client = HttpClient.newHttpClient();

  private RunningApi(StoreProcess process, SpanStore store, QueryApi api) {
    this.process = process;
    this.store = store;
    this.api = api;
  }

  /// Starts both.
  ///
  /// @param directory an empty one for the store
  public static RunningApi start(Path directory) throws IOException {
    StoreProcess process = StoreProcess.start(directory);
    SpanStore store = SpanStore.connect(process.address());
    store.migrate();
    RecordedSpans.insert(store);
    return new RunningApi(process, store, QueryApi.start(config(process, Map.of())));
  }

  /// A configuration for the store of this, on a free port, with `more` settings.
  public QueryConfig config(Map<String, String> more) {
    return config(process, more);
  }

  private static QueryConfig config(StoreProcess process, Map<String, String> more) {
    Map<String, String> environment = new HashMap<>(more);
    environment.put("HEADSPAN_QUERY_LISTEN", "127.0.0.1:0");
    environment.put("HEADSPAN_QUERY_STORE", "http://127.0.0.1:" + process.address().port());
    return QueryConfig.from(environment);
  }

  public SpanStore store() {
    return store;
  }

  public int port() {
    return api.port();
  }

  /// GETs a path with its query as it stands.
  public HttpResponse<byte[]> get(String pathAndQuery, String accept)
      throws IOException, InterruptedException {
    return TestHttp.get(client, port(), pathAndQuery, accept);
  }

  @Override
  public void close() {
    api.close();
    store.close();
    process.close();
  }
}
