package io.headspan.systemtests;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.loadgen.tls.MadeAuthority;
import io.headspan.storage.SqlQuery;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Agent and collector that know each other by their certificates. One of another authority gets
/// nothing in; when the agent is given the right one, everything it has kept is stored.
@Tag("privileged")
final class TlsBpfIT {
  private static final String TENANT = "initech";
  private static final int REQUESTS = 1_000;

  @TempDir private Path directory;

  @Test
  void storesNothingOfAStrangerAndEverythingOfTheAgentItTurnsOutToBe() throws Exception {
    MadeAuthority authority = MadeAuthority.make(directory.resolve("authority"));
    MadeAuthority stranger = MadeAuthority.make(directory.resolve("stranger"));
    MadeAuthority.Pair collector = authority.issue("collector");
    Path certificate = directory.resolve("agent.pem");
    Path key = directory.resolve("agent.key");
    put(stranger.issue("agent"), certificate, key);
    Map<String, String> settings =
        Map.of(
            "HEADSPAN_AGENT_TLS", "true",
            "HEADSPAN_AGENT_TLS_CA", authority.certificate().toString(),
            "HEADSPAN_AGENT_TLS_CERTIFICATE", certificate.toString(),
            "HEADSPAN_AGENT_TLS_KEY", key.toString(),
            "HEADSPAN_AGENT_SPOOL_AFTER", "500ms",
            "HEADSPAN_AGENT_BATCH_AGE", "100ms",
            "HEADSPAN_COLLECTOR_TLS_CERTIFICATE", collector.certificate().toString(),
            "HEADSPAN_COLLECTOR_TLS_KEY", collector.key().toString(),
            "HEADSPAN_COLLECTOR_TLS_CLIENT_CA", authority.certificate().toString());
    try (HeadspanNode node = HeadspanNode.start(directory, settings);
        RuncContainer container =
            RuncContainer.startHttpService(
                RuncContainer.httpService(
                        "headspan-it-tls-" + ProcessHandle.current().pid(),
                        List.of("--port", "0", "--host", "127.0.0.1"))
                    .asFunction(TENANT, "orders", "1"));
        Traffic traffic =
            Traffic.start(
                directory,
                "127.0.0.1:" + container.readyLine().substring("ready on ".length()),
                UnaryOperator.identity(),
                "--requests",
                Integer.toString(REQUESTS),
                "--seed",
                "41")) {
      Map<String, Traffic.Sent> sent = traffic.await(60);
      Await.until(
          "all is kept",
          () -> AgentBooks.of(node, TENANT),
          () -> AgentBooks.of(node, TENANT).spooled() == REQUESTS);
      assertThat(stored(node)).isEmpty();

      put(authority.issue("agent"), certificate, key);
      Await.until(
          "all is stored",
          () -> AgentBooks.of(node, TENANT),
          () -> AgentBooks.of(node, TENANT).acknowledged() == REQUESTS);
      assertThat(stored(node)).containsExactlyInAnyOrderElementsOf(sent.keySet());
    }
  }

  private static void put(MadeAuthority.Pair pair, Path certificate, Path key) throws IOException {
    Files.copy(pair.key(), key, StandardCopyOption.REPLACE_EXISTING);
    Files.copy(pair.certificate(), certificate, StandardCopyOption.REPLACE_EXISTING);
  }

  private static List<String> stored(HeadspanNode node) {
    return node.query(
        SqlQuery.of(
                "SELECT lower(hex(trace_id)) FROM spans WHERE tenant = {tenant:String} AND kind = 2")
            .bind("tenant", TENANT),
        row -> row.text(0));
  }
}
