package io.headspan.storage.embedded;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/// What an INSERT is but for its rows and its token: INSERTs of equal form can be put together.
///
/// @param database the database to run it in
/// @param table where the rows go, as the statement names it
/// @param head the statement up to FORMAT
/// @param settings settings for this statement, without its token
/// @param parameters values for `{name:Type}`
record InsertForm(
    String database,
    Statement.Table table,
    String head,
    Map<String, String> settings,
    Map<String, String> parameters) {
  static final String TOKEN = "insert_deduplication_token";

  InsertForm {
    settings = Map.copyOf(settings);
    parameters = Map.copyOf(parameters);
  }

  static InsertForm of(GatewayRequest request, Statement.Insert insert) {
    Map<String, String> settings = new LinkedHashMap<>(request.settings());
    var _ = settings.remove(TOKEN);
    return new InsertForm(
        request.database(),
        insert.table(),
        new String(insert.head(), StandardCharsets.UTF_8),
        settings,
        request.parameters());
  }

  /// The database that the table is in.
  String tableDatabase() {
    return table.database().isEmpty() ? database : table.database();
  }

  /// The settings of an INSERT of this form under a token.
  Map<String, String> settings(String token) {
    Map<String, String> named = new LinkedHashMap<>(settings);
    named.put(TOKEN, token);
    return named;
  }

  void writeTo(DataOutput out) throws IOException {
    out.writeUTF(database);
    out.writeUTF(table.database());
    out.writeUTF(table.name());
    byte[] text = head.getBytes(StandardCharsets.UTF_8);
    out.writeInt(text.length);
    out.write(text);
    write(out, settings);
    write(out, parameters);
  }

  static InsertForm readFrom(DataInput in) throws IOException {
    String database = in.readUTF();
    Statement.Table table = new Statement.Table(in.readUTF(), in.readUTF());
    byte[] text = new byte[in.readInt()];
    in.readFully(text);
    String head = new String(text, StandardCharsets.UTF_8);
    return new InsertForm(database, table, head, readMap(in), readMap(in));
  }

  private static void write(DataOutput out, Map<String, String> map) throws IOException {
    out.writeInt(map.size());
    for (Map.Entry<String, String> each : map.entrySet()) {
      out.writeUTF(each.getKey());
      byte[] value = each.getValue().getBytes(StandardCharsets.UTF_8);
      out.writeInt(value.length);
      out.write(value);
    }
  }

  private static Map<String, String> readMap(DataInput in) throws IOException {
    Map<String, String> map = new LinkedHashMap<>();
    int size = in.readInt();
    for (int i = 0; i < size; i++) {
      String key = in.readUTF();
      byte[] value = new byte[in.readInt()];
      in.readFully(value);
      map.put(key, new String(value, StandardCharsets.UTF_8));
    }
    return map;
  }
}
