package io.headspan.agent.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.headspan.agent.identity.IdentityRules.Given;
import io.headspan.agent.identity.IdentityRules.Subject;
import io.headspan.wire.config.SettingSources;
import io.headspan.wire.config.Settings;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class IdentityRulesTest {
  @Test
  void theFirstMatchingRuleThatGivesAValueCounts() {
    IdentityRules rules =
        rules(
            """
            - match: {cgroup: /kubepods.slice/**}
              tenant: cluster
            - match: {labels: {app: checkout}}
              tenant: never
              function: checkout
            - match: {labels: {app: "*"}}
              function: never
              version: "7"
            """);
    Subject subject =
        subject("/kubepods.slice/a/b", "/usr/bin/python3.11", Map.of("app", "checkout"));
    assertThat(rules.apply(subject)).isEqualTo(new Given("cluster", null, "checkout", "7"));
    assertThat(rules.apply(subject("/system.slice/x", null, Map.of())))
        .isEqualTo(new Given(null, null, null, null));
  }

  @Test
  void globsStopAtSlashesInPathsOnly() {
    assertThat(tenant("{cgroup: /a/*}", subject("/a/b", null, Map.of()))).isEqualTo("t");
    assertThat(tenant("{cgroup: /a/*}", subject("/a/b/c", null, Map.of()))).isNull();
    assertThat(tenant("{cgroup: /a/**}", subject("/a/b/c", null, Map.of()))).isEqualTo("t");
    assertThat(tenant("{cgroup: '/a/?'}", subject("/a/bb", null, Map.of()))).isNull();
    assertThat(tenant("{cgroup: /a.b}", subject("/aXb", null, Map.of()))).isNull();
    assertThat(tenant("{command_line: '*worker*'}", subject("/", "/usr/bin/x", Map.of())))
        .isEqualTo("t");
  }

  @Test
  void anExecutableIsMatchedByNameOrWholePath() {
    Subject python = subject("/", "/usr/bin/python3.11", Map.of());
    assertThat(tenant("{executable: python3*}", python)).isEqualTo("t");
    assertThat(tenant("{executable: /usr/bin/python3*}", python)).isEqualTo("t");
    assertThat(tenant("{executable: /bin/python3*}", python)).isNull();
    assertThat(tenant("{executable: python}", python)).isNull();
    assertThat(tenant("{executable: python}", subject("/", null, Map.of()))).isNull();
  }

  @Test
  void regularExpressionsMatchTheWholeText() {
    Subject subject = subject("/kubepods/pod1/x", "/bin/x", Map.of());
    assertThat(tenant("{cgroup: '~/kubepods/pod[0-9]+/.*'}", subject)).isEqualTo("t");
    assertThat(tenant("{cgroup: '~pod[0-9]+'}", subject)).isNull();
    assertThat(tenant("{command_line: '~(a|aa)+b'}", subject)).as("ends at once").isNull();
  }

  @Test
  void allThatARuleMatchesOnHasToMatch() {
    Subject subject = subject("/a", "/bin/x", Map.of("app", "web"));
    assertThat(tenant("{cgroup: /a, labels: {app: web}}", subject)).isEqualTo("t");
    assertThat(tenant("{cgroup: /b, labels: {app: web}}", subject)).isNull();
    assertThat(tenant("{cgroup: /a, labels: {app: db}}", subject)).isNull();
    assertThat(tenant("{cgroup: /a, labels: {other: web}}", subject)).isNull();
  }

  @Test
  void valuesComeFromLabels() {
    IdentityRules rules =
        rules(
            """
            - match: {cgroup: /**}
              tenant: "${label:team/tenant}"
              function: "${namespace}-${label:app}"
              version: "${label:absent}"
            """);
    assertThat(rules.apply(subject("/a", null, Map.of("team/tenant", "ac$me", "app", "web"))))
        .isEqualTo(new Given("ac$me", null, "shop-web", null));
  }

  @Test
  void saysWhatIsWrongWithARule() {
    Settings settings =
        Settings.of(
            "x",
            SettingSources.of(
                Map.of(
                    "HEADSPAN_X_RULES",
                    """
                    - tenant: t
                    - match: {cgroup: "~("}
                      tenant: t
                    - match: {cgruop: /a, cgroup: /b}
                      tenant: "${lable:x}"
                    """)));
    var _ = IdentityRules.of(settings.sections("rules"));
    assertThatThrownBy(() -> settings.finish("X", IllegalArgumentException::new))
        .hasMessageContainingAll(
            "a rule matches on nothing: rules, at=HEADSPAN_X_RULES:1",
            "not a regular expression: ~(",
            "unknown ${…} in tenant=${lable:x}: rules, at=HEADSPAN_X_RULES:4",
            "a rule gives nothing: rules, at=HEADSPAN_X_RULES:4",
            "unknown key: rules.match.cgruop, at=HEADSPAN_X_RULES:4, did you mean cgroup?");
  }

  private static @Nullable String tenant(String match, Subject subject) {
    return rules("- match: " + match + "\n  tenant: t\n").apply(subject).tenant();
  }

  private static IdentityRules rules(String yaml) {
    Settings settings = Settings.of("x", SettingSources.of(Map.of("HEADSPAN_X_RULES", yaml)));
    IdentityRules rules = IdentityRules.of(settings.sections("rules"));
    settings.finish("X", IllegalArgumentException::new);
    return rules;
  }

  private static Subject subject(
      String cgroup, @Nullable String executable, Map<String, String> labels) {
    return new Subject(
        cgroup,
        executable,
        executable == null
            ? null
            : executable + " worker.py --queue aaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
        null,
        "web",
        "image",
        "shop",
        "web-1",
        labels,
        Map.of());
  }
}
