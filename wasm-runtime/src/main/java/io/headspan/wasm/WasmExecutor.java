package io.headspan.wasm;

import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.healthcheck.HealthCheckService;
import io.headspan.wasm.engine.ChicoryEngine;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wire.http.AcceptLoop;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The Wasm executor: an HTTP server that deploys WebAssembly modules as functions and runs them.
/// What it serves is described in `docs/wasm-functions.md`.
public final class WasmExecutor implements AutoCloseable {
  private static final Logger logger = LoggerFactory.getLogger(WasmExecutor.class);

  /// For a request to arrive whole; how long a function may run is its own deadline.
  private static final Duration RECEIVE_TIMEOUT = Duration.ofSeconds(30);

  private static final Duration IDLE_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration STOP_QUIET = Duration.ofMillis(50);
  private static final Duration STOP_TIMEOUT = Duration.ofSeconds(10);

  private final GuestWorkers workers;
  private final Functions functions;
  private final DeployQueue deployments;
  private final Server server;
  private final ExecutorRegistration registration;
  private final PrometheusMeterRegistry registry;

  private WasmExecutor(
      GuestWorkers workers,
      Functions functions,
      DeployQueue deployments,
      Server server,
      ExecutorRegistration registration,
      PrometheusMeterRegistry registry) {
    this.workers = workers;
    this.functions = functions;
    this.deployments = deployments;
    this.server = server;
    this.registration = registration;
    this.registry = registry;
  }

  /// Starts listening.
  ///
  /// @throws ExecutorException if it cannot listen
  public static WasmExecutor start(WasmConfig config) {
    Clock clock = Clock.systemUTC();
    PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    PageBudget memory = new PageBudget(config.memoryTotalBytes());
    GuestWorkers workers = new GuestWorkers(config, clock);
    Functions functions =
        new Functions(config, new ChicoryEngine(), clock, memory, registry, workers.timer());
    DeployQueue deployments = new DeployQueue(functions);
    gauges(registry, workers, functions, memory);

    Server server =
        Server.builder()
            .http(new InetSocketAddress(config.listenHost(), config.listenPort()))
            .requestTimeout(RECEIVE_TIMEOUT)
            .idleTimeout(IDLE_TIMEOUT)
            .maxRequestLength(Math.max(config.requestBytesMax(), config.moduleBytesMax()))
            .errorHandler(new ErrorAnswers())
            .unloggedExceptionsReportInterval(Duration.ZERO)
            .meterRegistry(registry)
            .bossGroupFactory(AcceptLoop::start)
            .gracefulShutdownTimeout(STOP_QUIET, STOP_TIMEOUT)
            .disableServerHeader()
            .disableDateHeader()
            .service("/ready", HealthCheckService.of())
            .service(
                "/metrics",
                (_, _) ->
                    HttpResponse.of(
                        HttpStatus.OK,
                        MediaType.parse("text/plain; version=0.0.4; charset=utf-8"),
                        registry.scrape()))
            .service("/functions", new FunctionListService(functions))
            .service(
                "prefix:/functions/",
                new FunctionService(config, functions, deployments, workers, memory))
            .build();
    try {
      server.start().join();
    } catch (CompletionException e) {
      deployments.close();
      workers.close();
      throw cannotListen(config, e.getCause() == null ? e : e.getCause());
    }
    ExecutorRegistration registration =
        new ExecutorRegistration(config.runDirectory(), server.activeLocalPort());
    deployments.onChange(() -> registration.write(functions.list()));
    registration.write(functions.list());
    return new WasmExecutor(workers, functions, deployments, server, registration, registry);
  }

  /// The port that it listens on.
  public int port() {
    return server.activeLocalPort();
  }

  /// Deploys a function, in the place of the version that there was.
  ///
  /// @throws ModuleException if the module is refused
  /// @throws DeployException if something else is
  public FunctionInfo deploy(Deployment deployment) {
    return await(deployments.deploy(deployment));
  }

  /// Removes a function. Invocations that run go on.
  ///
  /// @return whether it was deployed
  public boolean undeploy(FunctionName function) {
    return await(deployments.undeploy(function));
  }

  /// The deployed functions, by name.
  public List<FunctionInfo> functions() {
    return functions.list();
  }

  /// Stops: no more requests, guests that run are ended, the registration is removed.
  @Override
  public void close() {
    registration.close();
    deployments.close();
    workers.close();
    server.stop().join();
    registry.close();
    logger.info("Wasm executor stopped");
  }

  private static <T> T await(CompletableFuture<T> future) {
    try {
      return future.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw e;
    }
  }

  private static void gauges(
      PrometheusMeterRegistry registry,
      GuestWorkers workers,
      Functions functions,
      PageBudget memory) {
    Gauge.builder("headspan.wasm.instances", workers, GuestWorkers::running)
        .description("Instances that are running")
        .register(registry);
    Gauge.builder("headspan.wasm.waiting", workers, GuestWorkers::waiting)
        .description("Invocations that wait for a thread")
        .register(registry);
    Gauge.builder("headspan.wasm.functions", functions, Functions::count)
        .description("Deployed functions")
        .register(registry);
    Gauge.builder("headspan.wasm.memory", memory, PageBudget::usedBytes)
        .description("Memory that running instances have taken of the budget")
        .baseUnit("bytes")
        .register(registry);
    Gauge.builder("headspan.wasm.memory.limit", memory, PageBudget::limitBytes)
        .description("The budget")
        .baseUnit("bytes")
        .register(registry);
  }

  private static ExecutorException cannotListen(WasmConfig config, Throwable cause) {
    String where = config.listenHost() + ":" + config.listenPort();
    boolean inUse =
        cause instanceof BindException
            || String.valueOf(cause.getMessage()).contains("Address already in use");
    return new ExecutorException(
        inUse
            ? "the Wasm executor cannot listen: port "
                + config.listenPort()
                + " is in use, address="
                + where
                + "; stop what uses it, or choose another with HEADSPAN_WASM_LISTEN=host:port"
            : "the Wasm executor cannot listen: address="
                + where
                + ", cause="
                + cause.getMessage()
                + "; choose another with HEADSPAN_WASM_LISTEN=host:port",
        cause);
  }
}
