package io.headspan.launcher;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// What commands are told that compare a function with itself.
final class ComparisonOption {
  @Parameters(paramLabel = "FUNCTION", description = "Its name (service.name).")
  private String service = "";

  @Option(names = "--tenant", paramLabel = "TENANT", description = "Whose function it is.")
  private @Nullable String tenant;

  @Option(
      names = "--baseline",
      paramLabel = "FROM/TO|VERSION",
      description = "What to compare with (default: as long a time just before).")
  private @Nullable String baseline;

  @Mixin private QueryOption.Range range = new QueryOption.Range();

  /// As parameters of the API.
  Map<String, @Nullable String> parameters() {
    Map<String, @Nullable String> parameters = new LinkedHashMap<>(range.parameters());
    parameters.put("service", service);
    parameters.put("tenant", tenant);
    parameters.put("baseline", baseline);
    return parameters;
  }
}
