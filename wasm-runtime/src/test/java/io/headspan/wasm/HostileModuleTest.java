package io.headspan.wasm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.headspan.wasm.engine.ChicoryEngine;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.host.GuestRequest;
import io.headspan.wasm.module.ModuleException;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Deploys and runs broken modules: valid ones with bytes changed, cut, doubled and moved. Whatever
/// they are, they are refused with a reason or run to some end, and the executor goes on.
class HostileModuleTest {
  private static final int ROUNDS = Integer.getInteger("headspan.fuzz.rounds", 1_000);
  private static final long SEED = Long.getLong("headspan.fuzz.seed", 20261121L);
  private static final WasmConfig CONFIG =
      WasmConfig.from(Map.of("HEADSPAN_WASM_MEMORY_TOTAL_MIB", "64", "HEADSPAN_WASM_THREADS", "1"));

  private static final List<byte[]> SEEDS =
      List.of(
          ExampleModules.echo(),
          ExampleModules.price(),
          ExampleModules.upperCase(),
          TestModules.countsCalls(),
          TestModules.initialised(),
          TestModules.environment(),
          TestModules.memoryHog(64),
          TestModules.requestField(4),
          TestModules.sleep(1_000),
          TestModules.endlessRecursionThroughHost());

  private final GuestWorkers workers = new GuestWorkers(CONFIG, Clock.systemUTC());
  private final PageBudget memory = new PageBudget(CONFIG.memoryTotalBytes());
  private final Functions functions =
      new Functions(
          CONFIG,
          new ChicoryEngine(),
          Clock.systemUTC(),
          memory,
          new SimpleMeterRegistry(),
          workers.timer());

  @AfterEach
  void close() {
    workers.close();
  }

  @Test
  void neverHarmTheExecutor() throws Exception {
    Random random = new Random(SEED);
    Map<Fate, Integer> fates = new EnumMap<>(Fate.class);
    for (int round = 0; round < ROUNDS; round++) {
      byte[] module = mutate(random, SEEDS.get(random.nextInt(SEEDS.size())));
      fates.merge(meet(module), 1, Integer::sum);
    }
    // Otherwise the mutations are too wild, or too tame, to test anything.
    assertThat(fates.getOrDefault(Fate.REFUSED, 0)).isGreaterThan(ROUNDS / 10);
    assertThat(fates.getOrDefault(Fate.ANSWERED, 0)).isGreaterThan(ROUNDS / 100);
    assertThat(fates.getOrDefault(Fate.ENDED, 0)).isGreaterThan(ROUNDS / 100);
    assertThat(memory.usedBytes()).isZero();
    assertThat(meet(ExampleModules.upperCase())).isEqualTo(Fate.ANSWERED);
  }

  private enum Fate {
    REFUSED,
    ANSWERED,
    ENDED
  }

  private Fate meet(byte[] module) throws Exception {
    FunctionName name = new FunctionName("acme", "hostile");
    try {
      functions.deploy(
          new Deployment(
              name,
              Optional.of("1"),
              module,
              Optional.of(Duration.ofMillis(20)),
              OptionalInt.of(64)));
    } catch (ModuleException e) {
      assertThat(e.getMessage()).isNotBlank();
      return Fate.REFUSED;
    } catch (RuntimeException | Error e) {
      return fail("deploying failed with something else: module=" + hex(module), e);
    }
    InvocationTask task =
        new InvocationTask(
            functions.find(name).orElseThrow(),
            new GuestRequest(
                "acme",
                "hostile",
                "1",
                "POST",
                "/",
                "",
                "text/plain",
                Optional.empty(),
                "body".getBytes(StandardCharsets.US_ASCII)),
            memory);
    workers.submit(task);
    InvocationResult result = task.result().get(30, TimeUnit.SECONDS);
    return switch (result) {
      case InvocationResult.Answered _ -> Fate.ANSWERED;
      case InvocationResult.Exited _, InvocationResult.DeadlineExceeded _ -> Fate.ENDED;
      case InvocationResult.Trapped(var kind, String message) ->
          switch (kind) {
            case ENGINE -> fail("the engine failed: " + message + ", module=" + hex(module));
            case INTERRUPTED -> fail("interrupted by nobody: module=" + hex(module));
            default -> Fate.ENDED;
          };
      case InvocationResult.Rejected _, InvocationResult.Cancelled _ ->
          fail("nobody else is here: " + result);
    };
  }

  private static byte[] mutate(Random random, byte[] valid) {
    byte[] module = valid.clone();
    int changes = 1 + random.nextInt(3);
    for (int i = 0; i < changes; i++) {
      // Beyond the header, or every module ends at the magic.
      int at = 8 + random.nextInt(module.length - 8);
      switch (random.nextInt(8)) {
        case 0 -> module[at] = (byte) random.nextInt();
        case 1 -> module[at] ^= (byte) (1 << random.nextInt(8));
        case 2 -> module[at] = (byte) (module[at] + (random.nextBoolean() ? 1 : -1));
        case 3 -> module[at] = (byte) (random.nextBoolean() ? 0xff : 0);
        case 4 -> {
          int other = 8 + random.nextInt(module.length - 8);
          byte swapped = module[at];
          module[at] = module[other];
          module[other] = swapped;
        }
        case 5 -> module = Arrays.copyOf(module, 9 + random.nextInt(module.length - 8));
        case 6 -> {
          // A run of large numbers, where a count or a size may be.
          for (int j = at; j < Math.min(at + 4, module.length); j++) {
            module[j] = (byte) 0xff;
          }
        }
        default -> {
          int length = Math.min(1 + random.nextInt(16), module.length - at);
          int target = 8 + random.nextInt(module.length - 8 - Math.min(length, module.length - 9));
          System.arraycopy(module, at, module, target, Math.min(length, module.length - target));
        }
      }
      if (module.length < 10) {
        break;
      }
    }
    return module;
  }

  private static String hex(byte[] module) {
    return HexFormat.of().formatHex(module);
  }
}
