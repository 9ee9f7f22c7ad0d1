package io.headspan.launcher;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RoleProcessTest {
  @Test
  void givesTheJvmOurOptionsAndThenTheUsers() {
    assertThat(RoleProcess.jvmArguments("collector", null))
        .contains("-Xmx1g")
        .allMatch(each -> each.startsWith("-"));
    assertThat(RoleProcess.jvmArguments("collector", " -Xmx4g  -Xss1m\n  -Da=b"))
        .containsSubsequence("-Xmx1g", "-Xmx4g", "-Xss1m", "-Da=b")
        .endsWith("-Xmx4g", "-Xss1m", "-Da=b");
    assertThat(RoleProcess.jvmArguments("query", "")).containsExactly("-XX:+UseSerialGC");
  }
}
