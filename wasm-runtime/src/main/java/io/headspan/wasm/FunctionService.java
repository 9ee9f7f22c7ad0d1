package io.headspan.wasm;

import com.linecorp.armeria.common.AggregatedHttpRequest;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.headspan.wasm.engine.PageBudget;
import io.headspan.wasm.host.GuestRequest;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wire.TraceContext;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/// `/functions/<tenant>/<name>`: PUT deploys and DELETE removes; any other method, and any method
/// on a path below, invokes. Runs on event loops and never blocks them.
final class FunctionService implements HttpService {
  private static final String ROOT = "/functions/";

  /// The function that a path names, and what of the path is left for it; "" at its own path.
  private record Target(FunctionName function, String rest) {}

  private final WasmConfig config;
  private final Functions functions;
  private final DeployQueue deployments;
  private final GuestWorkers workers;
  private final PageBudget memory;

  FunctionService(
      WasmConfig config,
      Functions functions,
      DeployQueue deployments,
      GuestWorkers workers,
      PageBudget memory) {
    this.config = config;
    this.functions = functions;
    this.deployments = deployments;
    this.workers = workers;
    this.memory = memory;
  }

  @Override
  public HttpResponse serve(ServiceRequestContext context, HttpRequest request) {
    Optional<Target> target = target(context.path());
    if (target.isEmpty()) {
      return Answers.error(
          HttpStatus.NOT_FOUND,
          "not_found",
          "not the path of a function; it is /functions/<tenant>/<name>");
    }
    FunctionName function = target.get().function();
    if (target.get().rest().isEmpty()) {
      if (context.method() == HttpMethod.PUT) {
        return deploy(context, request, function);
      }
      if (context.method() == HttpMethod.DELETE) {
        return undeploy(function);
      }
    }
    return functions
        .find(function)
        .map(f -> invoke(context, request, f, target.get().rest()))
        .orElseGet(() -> notDeployed(function));
  }

  private HttpResponse invoke(
      ServiceRequestContext context, HttpRequest request, DeployedFunction function, String rest) {
    context.setMaxRequestLength(config.requestBytesMax());
    return HttpResponse.of(
        request
            .aggregate()
            .thenCompose(whole -> {
              // From here on the function's own deadline counts.
              context.clearRequestTimeout();
              InvocationTask task =
                  new InvocationTask(
                      function, guestRequest(context, whole, function, rest), memory);
              var _ = context.whenRequestCancelling().thenRun(task::callerIsGone);
              workers.submit(task);
              return task.result();
            })
            .thenApply(Answers::of));
  }

  private static GuestRequest guestRequest(
      ServiceRequestContext context,
      AggregatedHttpRequest request,
      DeployedFunction function,
      String rest) {
    RequestHeaders headers = request.headers();
    FunctionInfo info = function.info();
    return new GuestRequest(
        info.function().tenant(),
        info.function().name(),
        info.version(),
        request.method().name(),
        rest.isEmpty() ? "/" : rest,
        Optional.ofNullable(context.query()).orElse(""),
        headers.get("content-type", ""),
        traceContext(headers),
        request.content().array());
  }

  /// More than one `traceparent` is none; several `tracestate` are one list (W3C Trace Context,
  /// sections 3.2 and 3.3).
  private static Optional<TraceContext> traceContext(RequestHeaders headers) {
    List<String> parents = headers.getAll("traceparent");
    if (parents.size() != 1) {
      return Optional.empty();
    }
    return TraceContext.parse(parents.getFirst(), String.join(",", headers.getAll("tracestate")));
  }

  private HttpResponse deploy(
      ServiceRequestContext context, HttpRequest request, FunctionName function) {
    context.setMaxRequestLength(config.moduleBytesMax());
    Optional<Duration> deadline;
    OptionalInt memoryPages;
    try {
      deadline = number(context, "deadlineMillis").map(Duration::ofMillis);
      memoryPages =
          number(context, "memoryPages")
              .map(n -> OptionalInt.of((int) Math.min(n, Integer.MAX_VALUE)))
              .orElse(OptionalInt.empty());
    } catch (DeployException e) {
      return Answers.refused(e);
    }
    Optional<String> version = Optional.ofNullable(context.queryParam("version"));
    boolean isNew = functions.find(function).isEmpty();
    return HttpResponse.of(
        request
            .aggregate()
            .thenCompose(whole -> {
              // Compiling takes as long as it takes.
              context.clearRequestTimeout();
              return deployments.deploy(
                  new Deployment(
                      function, version, whole.content().array(), deadline, memoryPages));
            })
            .thenApply(info ->
                Answers.json(isNew ? HttpStatus.CREATED : HttpStatus.OK, FunctionView.of(info)))
            .exceptionally(e -> notDeployed(e)));
  }

  private HttpResponse undeploy(FunctionName function) {
    CompletableFuture<HttpResponse> response =
        deployments
            .undeploy(function)
            .thenApply(was -> was ? HttpResponse.of(HttpStatus.NO_CONTENT) : notDeployed(function))
            .exceptionally(e -> notDeployed(e));
    return HttpResponse.of(response);
  }

  private HttpResponse notDeployed(Throwable thrown) {
    return switch (unwrap(thrown)) {
      case ModuleException e -> Answers.refused(e);
      case DeployException e -> Answers.refused(e);
      case Throwable e -> HttpResponse.ofFailure(e);
    };
  }

  private static HttpResponse notDeployed(FunctionName function) {
    return Answers.error(
        HttpStatus.NOT_FOUND,
        "not_found",
        "no such function is deployed: function="
            + function
            + "; PUT its module to "
            + function.path());
  }

  private static Throwable unwrap(Throwable thrown) {
    return thrown instanceof CompletionException && thrown.getCause() != null
        ? thrown.getCause()
        : thrown;
  }

  private static Optional<Long> number(ServiceRequestContext context, String parameter) {
    String text = context.queryParam(parameter);
    if (text == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(Long.parseLong(text));
    } catch (NumberFormatException e) {
      throw new DeployException(
          DeployException.Kind.BAD_LIMIT, "not a whole number: " + parameter + "=" + text);
    }
  }

  private static Optional<Target> target(String path) {
    int tenantEnd = path.indexOf('/', ROOT.length());
    if (tenantEnd < 0) {
      return Optional.empty();
    }
    int nameEnd = path.indexOf('/', tenantEnd + 1);
    int end = nameEnd < 0 ? path.length() : nameEnd;
    String tenant = path.substring(ROOT.length(), tenantEnd);
    String name = path.substring(tenantEnd + 1, end);
    if (!FunctionName.isPart(tenant) || !FunctionName.isPart(name)) {
      return Optional.empty();
    }
    return Optional.of(new Target(new FunctionName(tenant, name), path.substring(end)));
  }
}
