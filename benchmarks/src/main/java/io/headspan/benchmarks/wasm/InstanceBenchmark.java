package io.headspan.benchmarks.wasm;

import io.headspan.wasm.ExampleModules;
import io.headspan.wasm.engine.ChicoryEngine;
import io.headspan.wasm.engine.GuestImage;
import io.headspan.wasm.engine.GuestInstance;
import io.headspan.wasm.engine.GuestModule;
import io.headspan.wasm.engine.ModuleLimits;
import io.headspan.wasm.engine.PageAllowance;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.host.FunctionKind;
import io.headspan.wasm.host.GuestRequest;
import io.headspan.wasm.host.GuestResponse;
import io.headspan.wasm.host.HostFunctions;
import io.headspan.wasm.host.Invocation;
import io.headspan.wasm.host.InvocationSource;
import io.headspan.wasm.module.ModuleBuilder;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Clock;
import java.util.Collections;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/// What an instance costs, and an invocation in an instance of its own.
///
/// `mvn package -DskipTests`, then `java -cp
/// "benchmarks/target/headspan-benchmarks.jar:benchmarks/target/lib/*" org.openjdk.jmh.Main
/// InstanceBenchmark`.
@State(Scope.Thread)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(2)
public class InstanceBenchmark {
  private static final byte[] REQUEST =
      "{\"item\":\"anvil\",\"quantity\":12,\"customer\":\"coyote\",\"express\":true,\"note\":\"\"}"
          .getBytes(StandardCharsets.US_ASCII);

  /// `echo`: 2 pages, 2 imports; `large`: 26 pages, half of them with data, and a table of 1,000
  /// functions.
  @Param({"echo", "large"})
  public String module = "echo";

  private final PageBudget budget = new PageBudget(1L << 30);
  private final InvocationSource invocations =
      new InvocationSource(Clock.systemUTC(), new SecureRandom(), 1 << 20);
  private final GuestRequest request =
      new GuestRequest(
          "acme", "bench", "1", "POST", "/", "", "application/json", Optional.empty(), REQUEST);
  private Deployed deployed = deploy(ExampleModules.echo());

  private record Deployed(FunctionKind kind, GuestImage<Invocation> image) {}

  @Setup
  public void deploy() {
    if (module.equals("large")) {
      deployed = deploy(large());
    }
  }

  private Deployed deploy(byte[] binary) {
    GuestModule<Invocation> compiled =
        new ChicoryEngine().compile(binary, HostFunctions.library(), new ModuleLimits(1_024));
    FunctionKind kind = FunctionKind.of(compiled);
    try (PageAllowance allowance = budget.open()) {
      return new Deployed(
          kind, compiled.initialise(invocations.open(request), kind.initialiser(), allowance));
    }
  }

  @Benchmark
  public GuestInstance newInstance() {
    Invocation invocation = invocations.open(request);
    try (PageAllowance allowance = budget.open()) {
      return deployed.image().newInstance(invocation, allowance);
    }
  }

  @Benchmark
  public GuestResponse invocation() {
    Invocation invocation = invocations.open(request);
    try (PageAllowance allowance = budget.open()) {
      return deployed.kind().run(deployed.image().newInstance(invocation, allowance), invocation);
    }
  }

  private static byte[] large() {
    ModuleBuilder builder = new ModuleBuilder();
    builder.memory(26, 1_024).data(0, new byte[13 * 65_536]);
    builder.export("headspan_alloc", "i>i", code -> code.i32(65_536));
    int handle = builder.export("headspan_handle", "ii>l", code -> code.i64((65_536L << 32) | 16));
    builder.table(1_000, 1_000, Collections.nCopies(1_000, handle));
    return builder.build();
  }
}
