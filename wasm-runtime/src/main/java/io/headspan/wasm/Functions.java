package io.headspan.wasm;

import io.headspan.wasm.engine.GuestImage;
import io.headspan.wasm.engine.GuestModule;
import io.headspan.wasm.engine.HostLibrary;
import io.headspan.wasm.engine.ModuleLimits;
import io.headspan.wasm.engine.PageAllowance;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.engine.WasmEngine;
import io.headspan.wasm.host.FunctionKind;
import io.headspan.wasm.host.GuestRequest;
import io.headspan.wasm.host.HostFunctions;
import io.headspan.wasm.host.Invocation;
import io.headspan.wasm.host.InvocationSource;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleProblem;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Clock;
import java.time.Duration;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The deployed functions, and how a module becomes one.
///
/// Deployments run one at a time, each on a thread of its own with a guest's stack, as the module's
/// initialiser is guest code.
final class Functions {
  private static final int VERSION_HASH_DIGITS = 12;

  private final WasmConfig config;
  private final WasmEngine engine;
  private final Clock clock;
  private final PageBudget memory;
  private final MeterRegistry registry;
  private final ScheduledExecutorService timer;
  private final Timer deployTimer;
  private final HostLibrary<Invocation> library = HostFunctions.library();
  private final SecureRandom random = new SecureRandom();
  private final ConcurrentHashMap<FunctionName, DeployedFunction> deployed =
      new ConcurrentHashMap<>();

  /// Guards changes of [#deployed].
  private final Object lock = new Object();

  /// @param timer ends an initialiser that runs too long
  Functions(
      WasmConfig config,
      WasmEngine engine,
      Clock clock,
      PageBudget memory,
      MeterRegistry registry,
      ScheduledExecutorService timer) {
    this.config = config;
    this.engine = engine;
    this.clock = clock;
    this.memory = memory;
    this.registry = registry;
    this.timer = timer;
    this.deployTimer =
        Timer.builder("headspan.wasm.deploy")
            .description("Time to validate, compile and initialise modules")
            .register(registry);
  }

  Optional<DeployedFunction> find(FunctionName name) {
    return Optional.ofNullable(deployed.get(name));
  }

  /// In the order of their names.
  List<FunctionInfo> list() {
    return deployed.values().stream()
        .map(DeployedFunction::info)
        .sorted(Comparator.comparing(info -> info.function().toString()))
        .toList();
  }

  int count() {
    return deployed.size();
  }

  /// Makes the module a function, in the place of the version that there was. Invocations that run
  /// go on with the version that they began with. Blocks while the module is compiled.
  ///
  /// @throws ModuleException if the module is refused
  /// @throws DeployException if something else is
  FunctionInfo deploy(Deployment deployment) {
    checkLimits(deployment);
    synchronized (lock) {
      DeployedFunction before = deployed.get(deployment.function());
      if (before == null && deployed.size() >= config.functionsMax()) {
        throw new DeployException(
            DeployException.Kind.TOO_MANY_FUNCTIONS,
            "as many functions are deployed as the executor takes: limit="
                + config.functionsMax()
                + "; remove one, or raise HEADSPAN_WASM_FUNCTIONS_MAX");
      }
      DeployedFunction after = onDeployThread(deployment, before);
      deployed.put(deployment.function(), after);
      deployTimer.record(after.info().deployTime());
      return after.info();
    }
  }

  /// Removes a function.
  ///
  /// @return whether it was deployed
  boolean undeploy(FunctionName name) {
    synchronized (lock) {
      DeployedFunction removed = deployed.remove(name);
      if (removed != null) {
        removed.metrics().remove();
      }
      return removed != null;
    }
  }

  private void checkLimits(Deployment deployment) {
    deployment
        .version()
        .filter(v -> !FunctionName.isPart(v))
        .ifPresent(v -> {
          throw new DeployException(
              DeployException.Kind.BAD_NAME,
              "not a version: version="
                  + v
                  + "; use 1 to 63 letters, digits, '.', '_' or '-', the first a letter or"
                  + " digit");
        });
    deployment
        .deadline()
        .filter(d -> !d.isPositive() || d.compareTo(config.deadlineMax()) > 0)
        .ifPresent(d -> {
          throw new DeployException(
              DeployException.Kind.BAD_LIMIT,
              "the deadline is out of range: deadlineMillis="
                  + d.toMillis()
                  + ", maxMillis="
                  + config.deadlineMax().toMillis());
        });
    int pages = deployment.memoryPages().orElse(config.memoryPages());
    if (pages < 1 || pages > config.memoryPagesMax()) {
      throw new DeployException(
          DeployException.Kind.BAD_LIMIT,
          "the memory limit is out of range: memoryPages="
              + pages
              + ", maxPages="
              + config.memoryPagesMax());
    }
    if (deployment.binary().length > config.moduleBytesMax()) {
      throw new ModuleException(
          ModuleProblem.TOO_LARGE,
          "the module is too large: sizeBytes="
              + deployment.binary().length
              + ", limitBytes="
              + config.moduleBytesMax()
              + "; strip its debug information, or raise HEADSPAN_WASM_MODULE_MAX_KIB");
    }
  }

  private DeployedFunction onDeployThread(
      Deployment deployment, @Nullable DeployedFunction before) {
    FutureTask<DeployedFunction> work = new FutureTask<>(() -> make(deployment, before));
    Thread thread =
        Thread.ofPlatform()
            .name("wasm-deploy")
            .daemon(true)
            .stackSize(config.stackBytes())
            .start(work);
    try {
      return work.get();
    } catch (InterruptedException e) {
      thread.interrupt();
      Thread.currentThread().interrupt();
      throw new DeployException(
          DeployException.Kind.BUSY,
          "the deployment was interrupted: function=" + deployment.function());
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case ModuleException refused -> throw refused;
        case RuntimeException failed -> throw failed;
        case Error failed -> throw failed;
        case null, default -> throw new IllegalStateException("deployment failed", e);
      }
    }
  }

  private DeployedFunction make(Deployment deployment, @Nullable DeployedFunction before) {
    long startedNs = System.nanoTime();
    int pages = deployment.memoryPages().orElse(config.memoryPages());
    GuestModule<Invocation> module =
        engine.compile(deployment.binary(), library, new ModuleLimits(pages));
    FunctionKind kind = FunctionKind.of(module);
    String sha256 = sha256(deployment.binary());
    String version = deployment.version().orElse(sha256.substring(0, VERSION_HASH_DIGITS));
    Duration deadline = deployment.deadline().orElse(config.deadline());
    GuestImage<Invocation> image = initialise(deployment, version, module, kind, deadline);
    FunctionInfo info =
        new FunctionInfo(
            deployment.function(),
            version,
            kind.label(),
            sha256,
            deployment.binary().length,
            deadline,
            pages,
            Duration.ofNanos(System.nanoTime() - startedNs));
    FunctionMetrics metrics =
        before == null ? new FunctionMetrics(registry, deployment.function()) : before.metrics();
    return new DeployedFunction(info, kind, image, metrics);
  }

  private GuestImage<Invocation> initialise(
      Deployment deployment,
      String version,
      GuestModule<Invocation> module,
      FunctionKind kind,
      Duration deadline) {
    // Reads as an empty request would; there is none yet.
    GuestRequest nothing =
        new GuestRequest(
            deployment.function().tenant(),
            deployment.function().name(),
            version,
            "",
            "/",
            "",
            "",
            Optional.empty(),
            new byte[0]);
    Invocation invocation =
        new InvocationSource(clock, random, config.responseBytesMax()).open(nothing);
    Thread self = Thread.currentThread();
    ScheduledFuture<?> alarm =
        timer.schedule(self::interrupt, deadline.toNanos(), TimeUnit.NANOSECONDS);
    // The image stays for as long as the function is deployed and is not an invocation's.
    try (PageAllowance allowance = memory.open()) {
      return module.initialise(invocation, kind.initialiser(), allowance);
    } finally {
      alarm.cancel(false);
    }
  }

  private static String sha256(byte[] binary) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(binary));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
