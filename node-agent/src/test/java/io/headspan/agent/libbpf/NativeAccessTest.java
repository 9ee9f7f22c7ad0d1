package io.headspan.agent.libbpf;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// Starts a JVM that denies native access: this one has it.
class NativeAccessTest {
  @Test
  void namesTheFlagWhenNativeAccessIsDenied() throws IOException, InterruptedException {
    var builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--illegal-native-access=deny",
            "-cp",
            System.getProperty("java.class.path"),
            Denied.class.getName());
    builder.environment().keySet().removeAll(Set.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"));
    Process jvm = builder.redirectErrorStream(true).start();
    String output = new String(jvm.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(jvm.waitFor(30, TimeUnit.SECONDS)).isTrue();
    String reason =
        "libbpf may not be called: native access is denied to the agent; start java with"
            + " --enable-native-access=ALL-UNNAMED";
    assertThat(output.lines())
        .containsExactly(
            "UNAVAILABLE: " + reason,
            "UNAVAILABLE: " + reason,
            "LIBRARY: start java with --enable-native-access=ALL-UNNAMED");
  }

  /// Main program of that JVM.
  static final class Denied {
    private Denied() {}

    public static void main(String[] arguments) {
      print(() -> BpfObject.open("none", new byte[0]));
      print(BpfMap::possibleCpus);
      BpfSupport.check().stream()
          .filter(missing -> missing.part() == BpfSupport.Part.LIBRARY)
          .forEach(missing -> System.out.println(missing.part() + ": " + missing.remedy()));
    }

    private static void print(Runnable call) {
      try {
        call.run();
        System.out.println("was allowed");
      } catch (LibbpfException failure) {
        System.out.println(failure.kind() + ": " + failure.getMessage());
      }
    }
  }
}
