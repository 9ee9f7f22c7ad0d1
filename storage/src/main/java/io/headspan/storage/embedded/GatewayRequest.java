package io.headspan.storage.embedded;

import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.QueryParams;
import com.linecorp.armeria.common.RequestHeaders;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.regex.Pattern;

/// A request of ClickHouse's HTTP interface, its parameters sorted out.
///
/// @param queryId the client's id of the query, or one of ours
/// @param query the statement, or its beginning, from the URL; the rest is in the body
/// @param database the database to run it in
/// @param format the format of the answer unless the statement names one
/// @param inputFormat the format of an INSERT's data unless the statement names one
/// @param parameters values for `{name:Type}`
/// @param settings settings for this statement
/// @param compress whether to answer in LZ4 frames
/// @param decompress whether the body is in compressed frames
/// @param whole whether to answer only when the statement has ended
record GatewayRequest(
    String queryId,
    String query,
    String database,
    String format,
    String inputFormat,
    Map<String, String> parameters,
    Map<String, String> settings,
    boolean compress,
    boolean decompress,
    boolean whole) {
  private static final String PARAMETER_PREFIX = "param_";
  private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_.]*");

  /// Parameters of the interface itself that this gateway knows, or that mean nothing to it: there
  /// are no users, quotas or roles. `log_comment` is what it marks its queries with.
  private static final Set<String> OWN =
      Set.of(
          "add_http_cors_header",
          "buffer_size",
          "client_protocol_version",
          "close_session",
          "compress",
          "database",
          "decompress",
          "default_format",
          "enable_http_compression",
          "log_comment",
          "password",
          "query",
          "query_id",
          "quota_key",
          "role",
          "stacktrace",
          "user",
          "wait_end_of_query");

  private static final Set<String> SESSION =
      Set.of("session_id", "session_check", "session_timeout");

  /// @throws EngineException if the request asks for something that there is not
  static GatewayRequest of(RequestHeaders headers, QueryParams query) throws EngineException {
    Map<String, String> parameters = new LinkedHashMap<>();
    Map<String, String> settings = new LinkedHashMap<>();
    for (Map.Entry<String, String> entry : query) {
      String name = entry.getKey();
      if (name.startsWith(PARAMETER_PREFIX)) {
        parameters.put(name.substring(PARAMETER_PREFIX.length()), entry.getValue());
      } else if (SESSION.contains(name)) {
        throw EngineException.refusal(
            EngineException.NOT_IMPLEMENTED,
            "NOT_IMPLEMENTED",
            "The embedded store has no HTTP sessions: parameter '" + name + "'");
      } else if (!OWN.contains(name)) {
        if (!NAME.matcher(name).matches()) {
          throw EngineException.refusal(115, "UNKNOWN_SETTING", "Unknown setting '" + name + "'");
        }
        settings.put(name, entry.getValue());
      }
    }
    if (headers.method() == HttpMethod.GET || headers.method() == HttpMethod.HEAD) {
      // As ClickHouse does: a link must not change data.
      settings.putIfAbsent("readonly", "2");
    }
    String headerFormat = headers.get("x-clickhouse-format", "");
    return new GatewayRequest(
        orElse(query.get("query_id", headers.get("x-clickhouse-query-id", "")), newQueryId()),
        query.get("query", ""),
        orElse(
            query.get("database", headers.get("x-clickhouse-database", "")),
            Engine.DEFAULT_DATABASE),
        orElse(query.get("default_format", headerFormat), "TabSeparated"),
        orElse(headerFormat, "Values"),
        parameters,
        settings,
        isSet(query, "compress"),
        isSet(query, "decompress"),
        isSet(query, "wait_end_of_query"));
  }

  private static boolean isSet(QueryParams query, String name) {
    String value = query.get(name, "");
    return value.equals("1") || value.equalsIgnoreCase("true");
  }

  private static String orElse(String value, String otherwise) {
    return value.isEmpty() ? otherwise : value;
  }

  private static String newQueryId() {
    return UUID.randomUUID().toString();
  }
}
