package io.headspan.launcher;

import io.headspan.agent.libbpf.BpfSupport;
import io.headspan.loadgen.TemporaryDirectory;
import io.headspan.loadgen.runc.ContainerSpec;
import io.headspan.loadgen.runc.RuncContainer;
import io.headspan.wasm.ExampleModules;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/// Everything the demo runs: the roles, each in a process of its own, two chained containers and
/// one alone, and a Wasm function. What was started is closed in reverse order, also when starting
/// fails half-way.
final class DemoStack implements AutoCloseable {
  private static final String LOOPBACK = "127.0.0.1:0";
  private static final SentTrace.Hop GATEWAY = new SentTrace.Hop("shop", "gateway", "container");
  private static final SentTrace.Hop CATALOG = new SentTrace.Hop("shop", "catalog", "container");
  private static final SentTrace.Hop PRICE = new SentTrace.Hop("shop", "price", "wasm");
  private static final SentTrace.Hop REPORT = new SentTrace.Hop("acme", "report", "container");

  private final Parts parts = new Parts();
  private final Consumer<String> progress;
  private final List<DemoTraffic.Route> routes = new ArrayList<>();
  private final List<String> missing = new ArrayList<>();
  private String store = "";
  private String collector = "";
  private String query = "";
  private String wasm = "";
  private boolean capturing;

  private DemoStack(Consumer<String> progress) {
    this.progress = progress;
  }

  /// Starts all parts that this machine can run.
  ///
  /// @param progress gets a line for each part
  /// @throws LauncherException if a part that needs nothing special does not start
  static DemoStack start(DemoOptions options, Consumer<String> progress) {
    DemoStack stack = new DemoStack(progress);
    try {
      stack.startAll(options);
      return stack;
    } catch (RuntimeException e) {
      // An interrupt that ended the start must not end the closing too.
      boolean interrupted = Thread.interrupted();
      try {
        stack.close();
      } catch (RuntimeException closing) {
        e.addSuppressed(closing);
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      throw e;
    }
  }

  List<DemoTraffic.Route> routes() {
    return routes;
  }

  /// The parts that are off, each with the reason and the remedy.
  List<String> missing() {
    return missing;
  }

  /// Whether the agent captures, so that every request must be found.
  boolean capturing() {
    return capturing;
  }

  String store() {
    return store;
  }

  String collector() {
    return collector;
  }

  String query() {
    return query;
  }

  private void startAll(DemoOptions options) {
    Path runDirectory = temporaryDirectory("run");
    Map<String, String> environment =
        Map.of(
            "HEADSPAN_RUN_DIR", runDirectory.toString(),
            "HEADSPAN_AGENT_SPOOL", runDirectory.resolve("spool").toString());
    store = options.store().orElseGet(() -> startStore(options));
    collector = role("collector", environment, "--listen", LOOPBACK, "--store", store);
    query = role("query", environment, "--listen", options.listen(), "--store", store);
    startAgent(environment);
    wasm = role("wasm", environment, "--listen", LOOPBACK);
    deploy(PRICE, ExampleModules.price());
    routes.add(
        route("POST price (Wasm)", wasm, "POST", functionPath(PRICE), "{\"items\":3}", PRICE));
    startContainers();
  }

  private String startStore(DemoOptions options) {
    Path data = options.data().orElseGet(() -> temporaryDirectory("store"));
    return "http://" + role("store", Map.of(), "--listen", LOOPBACK, "--path", data.toString());
  }

  private void startAgent(Map<String, String> environment) {
    List<BpfSupport.Missing> lacking = BpfSupport.check();
    if (!lacking.isEmpty()) {
      lacking.forEach(part ->
          missing.add(
              "node agent off, nothing is captured: %s. %s"
                  .formatted(part.reason(), part.remedy())));
      return;
    }
    role(
        "agent",
        environment,
        "--listen",
        LOOPBACK,
        "--collector",
        collector,
        "--exclude-ports",
        String.join(",", port(store), port(collector), port(query)));
    capturing = true;
  }

  private void startContainers() {
    Optional<String> refusal = RuncContainer.refusal();
    if (refusal.isPresent()) {
      missing.add("containers off: " + refusal.get());
      return;
    }
    int catalog =
        container(
            CATALOG, "--work-micros", "300", "--next", "http://" + wasm + functionPath(PRICE));
    int gateway =
        container(
            GATEWAY,
            "--work-micros",
            "200",
            "--next",
            "http://127.0.0.1:" + catalog + "/catalog/items");
    int report = container(REPORT, "--work-micros", "2000");
    routes.add(
        route("GET report", "127.0.0.1:" + report, "GET", "/reports/42?bytes=2000", "", REPORT));
    routes.add(
        route(
            "POST order (chain)",
            "127.0.0.1:" + gateway,
            "POST",
            "/orders",
            "{}",
            GATEWAY,
            CATALOG,
            PRICE));
  }

  /// Starts a role as a child and returns its address.
  private String role(String name, Map<String, String> environment, String... arguments) {
    RoleProcess process = RoleProcess.start(name, environment, arguments);
    parts.add(process);
    progress.accept("%-10s %s (pid %d)".formatted(name, process.address(), process.pid()));
    return process.address();
  }

  /// Starts a container as this function and returns the port it listens on.
  private int container(SentTrace.Hop hop, String... arguments) {
    List<String> all = new ArrayList<>(List.of("--host", "127.0.0.1", "--port", "0"));
    all.addAll(List.of(arguments));
    String id = "headspan-demo-" + hop.function() + "-" + ProcessHandle.current().pid();
    ContainerSpec spec =
        RuncContainer.httpService(id, all).asFunction(hop.tenant(), hop.function(), "1");
    RuncContainer container = RuncContainer.startHttpService(spec);
    parts.add(container);
    int port = Integer.parseInt(container.readyLine().substring("ready on ".length()));
    progress.accept("%-10s 127.0.0.1:%d (runc %s)".formatted("container", port, id));
    return port;
  }

  private void deploy(SentTrace.Hop function, byte[] module) {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create("http://" + wasm + functionPath(function) + "?version=1"))
            .timeout(Duration.ofSeconds(30))
            .PUT(HttpRequest.BodyPublishers.ofByteArray(module))
            .build();
    try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
      HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
      if (response.statusCode() / 100 != 2) {
        throw new LauncherException(
            "the executor refused the demo's function: status=%d, answer=%s"
                .formatted(response.statusCode(), response.body()));
      }
    } catch (IOException e) {
      throw new LauncherException("the executor did not answer: address=" + wasm, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LauncherException("interrupted while deploying", e);
    }
    progress.accept("%-10s %s (deployed)".formatted("function", functionPath(function)));
  }

  /// The port of `host:port` or of a URL that ends with it.
  private static String port(String address) {
    return address.substring(address.lastIndexOf(':') + 1);
  }

  private static String functionPath(SentTrace.Hop function) {
    return "/functions/" + function.tenant() + "/" + function.function();
  }

  private static DemoTraffic.Route route(
      String name, String address, String method, String path, String body, SentTrace.Hop... hops) {
    int colon = address.lastIndexOf(':');
    InetSocketAddress socket =
        new InetSocketAddress(
            address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
    return new DemoTraffic.Route(name, socket, method, path, body, List.of(hops));
  }

  private Path temporaryDirectory(String what) {
    try {
      return parts.add(TemporaryDirectory.create("headspan-demo-" + what)).path();
    } catch (IOException e) {
      throw new LauncherException("no temporary directory: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    parts.close();
  }
}
