package io.headspan.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The options of commands that ask the query API.
final class QueryOption {
  private static final String API = "/api/headspan/v1/";

  @Option(
      names = "--query",
      paramLabel = "HOST:PORT",
      defaultValue = "127.0.0.1:3200",
      description = "The query API (default ${DEFAULT-VALUE}).")
  private String address = "";

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = "File with the token to show (default: what HEADSPAN_TOKEN holds, if set).")
  private @Nullable Path tokenFile;

  @Option(names = "--json", description = "Print the API's answer as it is.")
  private boolean json;

  /// The options of commands that ask about a range of time.
  static final class Range {
    @Option(
        names = "--last",
        paramLabel = "DURATION",
        converter = DurationConverter.class,
        defaultValue = "15m",
        description = "The range: so long until now (default ${DEFAULT-VALUE}).")
    private Duration last = Duration.ZERO;

    @Option(
        names = "--from",
        paramLabel = "TIME",
        description = "Begin of the range instead: RFC 3339 or unix seconds.")
    private @Nullable String from;

    @Option(names = "--to", paramLabel = "TIME", description = "Its end (default now).")
    private @Nullable String to;

    /// As parameters of the API.
    Map<String, String> parameters() {
      long nowNs = System.currentTimeMillis() * 1_000_000;
      Map<String, String> parameters = new LinkedHashMap<>();
      parameters.put("from", from == null ? Long.toString(nowNs - last.toNanos()) : from);
      parameters.put("to", to == null ? Long.toString(nowNs) : to);
      return parameters;
    }
  }

  boolean wantsJson() {
    return json;
  }

  /// The answer of one of our own endpoints.
  ///
  /// @param parameters those without a value are left out
  JsonNode ask(String endpoint, Map<String, @Nullable String> parameters) {
    String query =
        parameters.entrySet().stream()
            .filter(parameter -> parameter.getValue() != null)
            .map(parameter -> parameter.getKey() + "=" + encoded(parameter.getValue()))
            .collect(Collectors.joining("&"));
    return new QueryClient(address, token())
        .json(API + endpoint + (query.isEmpty() ? "" : "?" + query));
  }

  private Optional<String> token() {
    if (tokenFile == null) {
      return Optional.ofNullable(System.getenv("HEADSPAN_TOKEN")).filter(text -> !text.isBlank());
    }
    try {
      return Optional.of(Files.readString(tokenFile).strip());
    } catch (IOException e) {
      throw new LauncherException(
          "the token cannot be read: file=" + tokenFile + ", reason=" + e, e);
    }
  }

  private static String encoded(@Nullable String text) {
    return text == null ? "" : URLEncoder.encode(text, StandardCharsets.UTF_8);
  }
}
