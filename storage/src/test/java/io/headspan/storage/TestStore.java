package io.headspan.storage;

import io.headspan.storage.embedded.StoreProcess;
import io.headspan.wire.config.HostPort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// The store that tests run against: the one at `HEADSPAN_TEST_STORE`, else an embedded one in a
/// process of its own. Tests get databases of their own. With `-Dheadspan.test.cluster=1` the
/// embedded one is a cluster of one shard.
public final class TestStore implements AutoCloseable {
  private static final AtomicInteger DATABASES = new AtomicInteger();

  private final StoreAddress address;
  private final @Nullable AutoCloseable process;
  private final @Nullable Path directory;

  private TestStore(
      StoreAddress address, @Nullable AutoCloseable process, @Nullable Path directory) {
    this.address = address;
    this.process = process;
    this.directory = directory;
  }

  public static TestStore start() throws IOException {
    String outside = System.getenv("HEADSPAN_TEST_STORE");
    if (outside != null && !outside.isEmpty()) {
      return new TestStore(StoreAddress.parse(outside), null, null);
    }
    Path directory = Files.createTempDirectory("headspan-store");
    if (Integer.getInteger("headspan.test.cluster", 0) > 0) {
      TestCluster cluster = TestCluster.start(1);
      return new TestStore(cluster.address(StoreAddress.DEFAULT_DATABASE), cluster, directory);
    }
    StoreProcess process = StoreProcess.start(directory);
    return new TestStore(process.address(), process, directory);
  }

  /// The store with a database that no other test has.
  public StoreAddress newDatabase() {
    return address.withDatabase(
        "test_" + ProcessHandle.current().pid() + "_" + DATABASES.incrementAndGet());
  }

  /// Drops a database that a test had, on each node.
  public static void drop(StoreAddress address) {
    for (HostPort node : address.nodes()) {
      try (StoreClient client = new NodeClient(address.node(node).withDatabase("default"))) {
        Stream.of(address.database(), address.tableDatabase())
            .distinct()
            .forEach(database ->
                client.command("DROP DATABASE IF EXISTS " + database + " SYNC", Map.of()));
      }
    }
  }

  @Override
  public void close() throws IOException {
    try {
      if (process != null) {
        process.close();
      }
    } catch (Exception e) {
      throw new IOException("the store of the tests cannot be stopped", e);
    }
    if (directory != null) {
      delete(directory);
    }
  }

  /// Deletes a directory with all in it.
  public static void delete(Path directory) throws IOException {
    try (Stream<Path> paths = Files.walk(directory)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
