package io.headspan.query;

import io.headspan.storage.StoreAddress;
import io.headspan.storage.embedded.StoreProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/// The store that tests run against: an embedded one in a process of its own, or the one at
/// `HEADSPAN_TEST_STORE`, where each test class has a database. With `-Dheadspan.test.cluster=true`
/// the embedded one is a cluster of one shard: all that is read comes through Distributed tables.
final class TestStore implements AutoCloseable {
  private static final AtomicInteger DATABASES = new AtomicInteger();
  private static final int TCP_PORT = 29_100;

  private final Optional<StoreProcess> process;
  private final String url;

  private TestStore(Optional<StoreProcess> process, String url) {
    this.process = process;
    this.url = url;
  }

  /// @param directory for an embedded one
  static TestStore start(Path directory) throws IOException {
    String outside = System.getenv("HEADSPAN_TEST_STORE");
    if (outside != null && !outside.isEmpty()) {
      String database =
          "query_" + ProcessHandle.current().pid() + "_" + DATABASES.incrementAndGet();
      return new TestStore(
          Optional.empty(),
          outside.replaceFirst("^(https?://[^/?]+)(?:/[^?]*)?", "$1/" + database));
    }
    if (!Boolean.getBoolean("headspan.test.cluster")) {
      StoreProcess process = StoreProcess.start(directory);
      return new TestStore(Optional.of(process), "http://127.0.0.1:" + process.address().port());
    }
    Path config = directory.resolveSibling(directory.getFileName() + ".xml");
    Files.writeString(
        config,
        """
        <clickhouse>
          <tcp_port>%1$d</tcp_port>
          <remote_servers><one><shard><replica>
            <host>127.0.0.1</host><port>%1$d</port>
          </replica></shard></one></remote_servers>
        </clickhouse>
        """
            .formatted(TCP_PORT));
    StoreProcess process =
        StoreProcess.start(
            Map.of(
                "HEADSPAN_STORE_LISTEN",
                "127.0.0.1:0",
                "HEADSPAN_STORE_PATH",
                directory.toString(),
                "HEADSPAN_STORE_EXTERNAL",
                "true",
                "HEADSPAN_STORE_ENGINE_CONFIG",
                config.toString()));
    return new TestStore(
        Optional.of(process),
        "http://127.0.0.1:" + process.address().port() + "/headspan?cluster=one&replicated=false");
  }

  /// What `--store` takes.
  String url() {
    return url;
  }

  StoreAddress address() {
    return StoreAddress.parse(url);
  }

  @Override
  public void close() {
    process.ifPresent(StoreProcess::close);
  }
}
