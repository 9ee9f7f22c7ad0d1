package io.headspan.wire.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsTest {
  private static final HostPort DEFAULT = new HostPort("127.0.0.1", 1);

  @TempDir private Path directory;

  @Test
  void defaultsThenFileThenEnvironmentThenCommandLine() throws IOException {
    SettingSources file = withFile("# the last one\nfour: h:4\nthree: h:3\ntwo: h:2\n", Map.of());
    SettingSources environment =
        file.with("HEADSPAN_X_THREE", "h:33").with("HEADSPAN_X_FOUR", "h:44");
    Settings settings =
        Settings.of("x", environment.withFlag("HEADSPAN_X_FOUR", "--four", "h:444"));

    assertThat(settings.hostPort("one", DEFAULT)).isEqualTo(DEFAULT);
    assertThat(settings.hostPort("two", DEFAULT)).hasToString("h:2");
    assertThat(settings.hostPort("three", DEFAULT)).hasToString("h:33");
    assertThat(settings.hostPort("four", DEFAULT)).hasToString("h:444");
    settings.finish("X", IllegalArgumentException::new);
  }

  @Test
  void readsEveryTypeFromYamlAsFromVariables() throws IOException {
    String yaml =
        """
        text: "a: b"
        address: '[::1]:80'
        wait: 2h
        number: 7
        share: 0.25
        flag: true
        path: /run/x
        list: [a, "b"]
        commas: a, b
        ports: [80, 443]
        """;
    Map<String, String> variables = new HashMap<>();
    variables.put("HEADSPAN_X_TEXT", "a: b");
    variables.put("HEADSPAN_X_ADDRESS", "[::1]:80");
    variables.put("HEADSPAN_X_WAIT", "2h");
    variables.put("HEADSPAN_X_NUMBER", "7");
    variables.put("HEADSPAN_X_SHARE", "0.25");
    variables.put("HEADSPAN_X_FLAG", "true");
    variables.put("HEADSPAN_X_PATH", "/run/x");
    variables.put("HEADSPAN_X_LIST", "a,b");
    variables.put("HEADSPAN_X_COMMAS", " a, b,");
    variables.put("HEADSPAN_X_PORTS", "443,80");
    for (SettingSources sources : List.of(withFile(yaml, Map.of()), SettingSources.of(variables))) {
      Settings settings = Settings.of("x", sources);
      assertThat(settings.text("text")).contains("a: b");
      assertThat(settings.hostPort("address", DEFAULT)).isEqualTo(new HostPort("::1", 80));
      assertThat(settings.duration("wait", Duration.ZERO)).isEqualTo(Duration.ofHours(2));
      assertThat(settings.number("number", 1, 0, 10)).isEqualTo(7);
      assertThat(settings.decimal("share", 1, 0, 1)).isEqualTo(0.25);
      assertThat(settings.flag("flag", false)).isTrue();
      assertThat(settings.absolutePath("path", Path.of("/"))).isEqualTo(Path.of("/run/x"));
      assertThat(settings.list("list", List.of(), text -> text, "")).containsExactly("a", "b");
      assertThat(settings.list("commas", List.of(), text -> text, "")).containsExactly("a", "b");
      assertThat(settings.numbers("ports", Set.of(), 1, 65_535)).isEqualTo(Set.of(80, 443));
      settings.finish("X", IllegalArgumentException::new);
    }
  }

  @Test
  void aBlankValueIsNone() throws IOException {
    Settings settings =
        Settings.of("x", withFile("a: ''\nb:\nc: ~\n", Map.of("HEADSPAN_X_A", " ")));
    assertThat(settings.number("a", 5, 0, 9)).isEqualTo(5);
    assertThat(settings.text("b")).isEmpty();
    assertThat(settings.text("c")).isEmpty();
    settings.finish("X", IllegalArgumentException::new);
  }

  @Test
  void tellsAllProblemsAtOnceEachWithItsPlace() throws IOException {
    SettingSources sources =
        withFile(
                """
                listen: here
                colector: h:1
                batch_age: [1s]
                batch_age: 2s
                """,
                Map.of("HEADSPAN_X_LISTENN", "h:2", "HEADSPAN_X_QUEUE", "-1", "HEADSPAN_Y_Z", "1"))
            .withFlag("HEADSPAN_X_STORE", "--store", "http://me:secret@");
    Settings settings = Settings.of("x", sources);
    assertThat(settings.hostPort("listen", DEFAULT)).isEqualTo(DEFAULT);
    settings.hostPort("collector", DEFAULT);
    settings.duration("batch_age", Duration.ZERO);
    settings.number("queue", 1, 0, 9);
    settings.parsed(
        "store",
        "",
        text -> {
          throw new IllegalArgumentException("no host in it");
        });
    settings.problem("queue", "smaller than the batch");
    String file = directory.resolve("x.yaml").toString();

    assertThatThrownBy(() -> settings.finish("X", IllegalStateException::new))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "X's settings are wrong: "
                + String.join(
                    "; ",
                    "key given twice: batch_age, at=" + file + ":4",
                    "bad value: listen=here, want=host:port, at=" + file + ":1",
                    "bad value: batch_age=[1s], want=a number and ms, s, m or h, at=" + file + ":3",
                    "bad value: HEADSPAN_X_QUEUE=-1, want=0 to 9",
                    "bad value: --store: no host in it",
                    "smaller than the batch: HEADSPAN_X_QUEUE=-1",
                    "unknown key: HEADSPAN_X_LISTENN, did you mean HEADSPAN_X_LISTEN?",
                    "unknown key: colector, at=" + file + ":2, did you mean collector?"));
  }

  @Test
  void listsWhatIsKnownWhereNothingIsNear() {
    Settings settings =
        Settings.of("x", SettingSources.of(Map.of("HEADSPAN_X_SOMETHING_ELSE", "1")));
    settings.text("a");
    assertThatThrownBy(() -> settings.finish("X", IllegalArgumentException::new))
        .hasMessage(
            "X's settings are wrong: unknown key: HEADSPAN_X_SOMETHING_ELSE,"
                + " known=[HEADSPAN_X_A, HEADSPAN_X_CONFIG]");
  }

  @Test
  void sharedVariablesHaveNoRoleInTheirName() {
    Settings settings = Settings.of("x", SettingSources.of(Map.of("HEADSPAN_RUN_DIR", "/r")));
    settings.share("run_dir", "HEADSPAN_RUN_DIR");
    assertThat(settings.absolutePath("run_dir", Path.of("/"))).isEqualTo(Path.of("/r"));
    settings.finish("X", IllegalArgumentException::new);
  }

  @Test
  void saysWhyAFileCannotBeUsed() throws IOException {
    assertThat(problemsOf("a: [")).contains("not YAML: ", ", at=").contains("x.yaml:1");
    assertThat(problemsOf("a: 1\n--- \nb: 1\n")).contains("not YAML: ");
    assertThat(problemsOf("- a\n")).contains("not keys and values: at=").contains("x.yaml:1");
    assertThat(problemsOf("? [a]\n: b\n")).contains("a key is no text: at=");
    assertThat(problemsOf("a: " + "[".repeat(100_000))).contains("too large or endless: at=");
    assertThat(problemsOf("a: &x [*x, *x]\n")).contains("too large or endless: at=");
    StringBuilder bomb = new StringBuilder("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 9; i++) {
      bomb.append("a%d: &a%d [%s]\n".formatted(i, i, ("*a" + (i - 1) + ",").repeat(5)));
    }
    assertThat(problemsOf(bomb.toString())).contains("too large or endless: at=");
    Map<String, String> absent = Map.of("HEADSPAN_X_CONFIG", directory + "/absent.yaml");
    assertThatThrownBy(() ->
            Settings.of("x", SettingSources.of(absent)).finish("X", IllegalArgumentException::new))
        .hasMessageContaining("no such configuration file: file=" + directory + "/absent.yaml");
  }

  @Test
  void anEmptyFileSetsNothing() throws IOException {
    for (String text : List.of("", "# nothing\n", "---\n")) {
      Settings settings = Settings.of("x", withFile(text, Map.of()));
      assertThat(settings.number("a", 3, 0, 9)).isEqualTo(3);
      settings.finish("X", IllegalArgumentException::new);
    }
  }

  @Test
  void readsSectionsFromFileAndVariable() throws IOException {
    String yaml = "rules:\n  - match: {path: /a, labels: {x: y}}\n    tenant: t\n  - tenant: u\n";
    String flow = "[{match: {path: /a, labels: {x: y}}, tenant: t}, {tenant: u}]";
    List<SettingSources> both =
        List.of(withFile(yaml, Map.of()), SettingSources.of(Map.of("HEADSPAN_X_RULES", flow)));
    for (SettingSources sources : both) {
      Settings settings = Settings.of("x", sources);
      List<Section> rules = settings.sections("rules");
      assertThat(rules).hasSize(2);
      assertThat(rules.get(0).text("tenant")).contains("t");
      Section match = rules.get(0).section("match").orElseThrow();
      assertThat(match.text("path")).contains("/a");
      assertThat(match.texts("labels")).containsExactly(Map.entry("x", "y"));
      assertThat(rules.get(1).text("tenant")).contains("u");
      assertThat(rules.get(1).section("match")).isEmpty();
      settings.finish("X", IllegalArgumentException::new);
    }
  }

  @Test
  void namesThePlaceOfProblemsInSections() throws IOException {
    Settings settings =
        Settings.of(
            "x",
            withFile("rules:\n  - tenant: t\n    tennant: u\n    match: 1\n  - 5\n", Map.of()));
    Section rule = settings.sections("rules").get(0);
    rule.text("tenant");
    rule.section("match");
    rule.problem("matches nothing");
    String file = directory.resolve("x.yaml").toString();
    assertThatThrownBy(() -> settings.finish("X", IllegalArgumentException::new))
        .hasMessageContainingAll(
            "unknown key: rules.tennant, at=" + file + ":3, did you mean tenant?",
            "bad value: rules.match, want=keys and values, at=" + file + ":4",
            "matches nothing: rules, at=" + file + ":2",
            "bad value: rules, want=mappings, at=" + file + ":5");
  }

  private String problemsOf(String yaml) throws IOException {
    Settings settings = Settings.of("x", withFile(yaml, Map.of()));
    return catchThrowable(() -> settings.finish("X", IllegalArgumentException::new)).toString();
  }

  private SettingSources withFile(String yaml, Map<String, String> environment) throws IOException {
    Path file = directory.resolve("x.yaml");
    Files.writeString(file, yaml);
    return SettingSources.of(environment).with("HEADSPAN_X_CONFIG", file.toString());
  }
}
