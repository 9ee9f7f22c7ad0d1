package io.headspan.agent.signal;

import static org.assertj.core.api.Assertions.assertThat;

import io.headspan.wire.signal.NodeSignal;
import io.headspan.wire.signal.NodeSignal.Pressure.Stall;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PressureSourceTest {
  @TempDir private Path proc;

  @Test
  void tellsTheStallsBetweenTwoCalls() throws IOException {
    PressureSource source = new PressureSource(proc);
    write("cpu", "some avg10=0.50 avg60=0.10 avg300=0.00 total=1000\n");
    write(
        "memory",
        """
        some avg10=0 avg60=0 avg300=0 total=7
        full avg10=0 avg60=0 avg300=0 total=3
        """);
    assertThat(source.take()).as("nothing to compare with yet").isEmpty();
    write("cpu", "some avg10=0.50 avg60=0.10 avg300=0.00 total=1500\n");
    write(
        "memory",
        """
        some avg10=0 avg60=0 avg300=0 total=9
        full avg10=0 avg60=0 avg300=0 total=4
        """);
    write("io", "some avg10=0 avg60=0 avg300=0 total=5\nfull avg10=0 avg60=0 avg300=0 total=5\n");
    assertThat(source.take())
        .contains(
            new NodeSignal.Pressure(
                List.of(new Stall("cpu", 500_000, 0), new Stall("memory", 2_000, 1_000))));
  }

  @Test
  void tellsNothingWhereTheKernelHasNone() {
    PressureSource source = new PressureSource(proc);
    assertThat(source.take()).isEmpty();
    assertThat(source.take()).isEmpty();
  }

  private void write(String resource, String text) throws IOException {
    Files.createDirectories(proc.resolve("pressure"));
    Files.writeString(proc.resolve("pressure").resolve(resource), text);
  }
}
