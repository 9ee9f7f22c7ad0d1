package io.headspan.storage;

import static org.assertj.core.api.Assertions.assertThat;

import com.clickhouse.client.api.Client;
import com.clickhouse.client.api.query.QueryResponse;
import com.clickhouse.client.api.query.QuerySettings;
import com.clickhouse.data.ClickHouseFormat;
import io.headspan.wire.SpanBatch;
import java.io.ByteArrayInputStream;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Our Native blocks beside those that ClickHouse makes of the same rows: byte by byte the same,
/// for every column and thus every type that we write.
// The client's responses declare that closing them may throw anything.
@SuppressWarnings("try")
final class NativeFormatIT {
  private static final int ROWS = 1000;

  @Test
  void encodesBlocksAsClickHouseDoes() throws Exception {
    try (TestStore server = TestStore.start();
        SpanStore store = SpanStore.connect(server.newDatabase());
        StoreClient client = new NodeClient(store.address())) {
      store.migrate();
      SpanBatch batch = new RandomSpans(11).batch(ROWS, 1_795_000_000_000_000_000L);
      Origins origins = Origins.of(batch);
      BlockEncoder encoder = new BlockEncoder();

      encoder.spans(batch, origins, Tier.RECENT);
      check(client, store.address(), "recent_spans", encoder.sink());

      int[] resources = new int[batch.resources()];
      int[] days = new int[batch.resources()];
      for (int i = 0; i < resources.length; i++) {
        resources[i] = i;
        days[i] = BlockEncoder.day(batch.startNs(0));
      }
      encoder.resources(batch, origins, resources, days, resources.length);
      check(client, store.address(), "resources", encoder.sink());

      encoder.scopes(batch, origins, new int[] {0}, days, 1);
      check(client, store.address(), "scopes", encoder.sink());
    }
  }

  /// Through a table that keeps blocks in memory as they come.
  private static void check(
      StoreClient client, StoreAddress address, String table, NativeSink block) throws Exception {
    client.command(
        "CREATE TABLE memory_" + table + " AS " + table + " ENGINE = Memory",
        Map.of("allow_suspicious_low_cardinality_types", "1"));
    client.insert("memory_" + table, block, Map.of());
    byte[] ours = block.toByteArray();
    NativeBlock decoded =
        NativeBlock.read(new NativeInput(new ByteArrayInputStream(ours))).orElseThrow();
    List<String> columns = decoded.columnNames();
    byte[] theirs =
        selectNative(address, "SELECT " + String.join(", ", columns) + " FROM memory_" + table);
    NativeBlock expected =
        NativeBlock.read(new NativeInput(new ByteArrayInputStream(theirs))).orElseThrow();
    // Column by column first, so that a difference has a name.
    for (String column : columns) {
      for (int row = 0; row < decoded.rows(); row++) {
        assertThat(decoded.column(column).value(row))
            .as(column)
            .isEqualTo(expected.column(column).value(row));
      }
    }
    assertThat(ours).as(table).isEqualTo(theirs);
  }

  private static byte[] selectNative(StoreAddress address, String sql) throws Exception {
    QuerySettings settings = new QuerySettings();
    settings.setFormat(ClickHouseFormat.Native);
    settings.serverSetting("max_threads", "1");
    try (Client client =
            new Client.Builder()
                .addEndpoint(address.endpoint())
                .setUsername(address.user())
                .setPassword(address.password())
                .setDefaultDatabase(address.database())
                .compressServerResponse(false)
                .build();
        QueryResponse response = client.query(sql, settings).get()) {
      return response.getInputStream().readAllBytes();
    }
  }
}
