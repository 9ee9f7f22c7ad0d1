package io.headspan.query.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.query.RunningApi;
import io.headspan.query.access.Caller;
import io.headspan.query.access.Pseudonyms;
import io.headspan.query.explain.MadeSpans;
import io.headspan.query.explain.MadeSpans.Function;
import io.headspan.query.explain.MadeSpans.Times;
import io.headspan.storage.SqlQuery;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/// What a tenant's statement costs: it is narrowed, and still finds by the index what it looks for.
@DisabledIfSystemProperty(
    named = "headspan.test.cluster",
    matches = "[12]",
    disabledReason = "of a Distributed table EXPLAIN says nothing about indexes")
class VisibleTenantsIT {
  private static final int SPANS = 20_000;
  private static final long NOON_NS = 1_795_176_000L * 1_000_000_000L;
  private static final Pattern GRANULES =
      Pattern.compile("Name: by_value(?s:.*?)Granules: (\\d+)/(\\d+)");

  @TempDir private Path directory;

  @Test
  void aTextIsLookedForInTheIndex() throws Exception {
    MadeSpans spans = new MadeSpans();
    Times times = new Times(1, 0, 1, 0, 0, 0);
    Function function = new Function("acme", "shop", "1");
    for (int i = 0; i < SPANS; i++) {
      long trace = spans.newId();
      var _ =
          spans.served(
              function,
              trace,
              0,
              NOON_NS + i,
              times,
              Map.of("order.id", "o" + i, "headspan.culprit", "bravo"));
    }
    try (RunningApi api = RunningApi.start(directory, spans.requests())) {
      VisibleTenants tenant =
          VisibleTenants.of(
              new Caller("acme", Caller.Role.TENANT, List.of("acme")),
              List.of(),
              Optional.of(new Pseudonyms("secret")));
      SqlQuery query =
          tenant.narrow(
              SqlQuery.of(
                  """
                  SELECT count() FROM spans
                  WHERE has(value_hashes, cityHash64('o777'))
                    AND string_values[indexOf(string_keys, 'order.id')] = 'o777'
                  """),
              "headspan",
              "headspan");

      assertThat(api.store().query(query, row -> row.integer(0))).containsExactly(1L);
      SqlQuery explain = SqlQuery.of("EXPLAIN indexes = 1 " + query.sql());
      for (Map.Entry<String, Object> value : query.parameters().entrySet()) {
        explain = explain.bind(value.getKey(), value.getValue());
      }
      for (Map.Entry<String, String> setting : query.settings().entrySet()) {
        explain = explain.setting(setting.getKey(), setting.getValue());
      }
      String plan = String.join("\n", api.store().query(explain, row -> row.text(0)));
      Matcher granules = GRANULES.matcher(plan);
      assertThat(granules.find()).as(plan).isTrue();
      assertThat(Integer.parseInt(granules.group(1)))
          .as(plan)
          .isLessThan(Integer.parseInt(granules.group(2)) / 2);
    }
  }
}
