package io.headspan.wasm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.headspan.wasm.module.ModuleBuilder;
import io.headspan.wasm.module.ModuleException;
import io.headspan.wasm.module.ModuleProblem;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// The executor over real HTTP.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WasmExecutorIT {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String TRACEPARENT =
      "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

  @TempDir static Path runDirectory;
  private WasmExecutor executor;
  private Http http;

  @BeforeAll
  void start() {
    executor = WasmExecutor.start(config(runDirectory));
    http = new Http(executor.port());
  }

  @AfterAll
  void stop() {
    http.close();
    executor.close();
  }

  // ---- deploying

  @Test
  void deploysReplacesListsAndRemoves() throws IOException {
    HttpResponse<String> first =
        http.deploy("/functions/acme/life?version=1.0", ExampleModules.echo());
    assertThat(first.statusCode()).isEqualTo(201);
    JsonNode info = JSON.readTree(first.body());
    assertThat(info.get("tenant").asText()).isEqualTo("acme");
    assertThat(info.get("name").asText()).isEqualTo("life");
    assertThat(info.get("version").asText()).isEqualTo("1.0");
    assertThat(info.get("kind").asText()).isEqualTo("reactor");
    assertThat(info.get("deadlineMillis").asLong()).isEqualTo(10_000);

    HttpResponse<String> second =
        http.deploy(
            "/functions/acme/life?version=2.0&deadlineMillis=500&memoryPages=32",
            ExampleModules.upperCase());
    assertThat(second.statusCode()).isEqualTo(200);
    assertThat(http.post("/functions/acme/life", "now upper").body()).isEqualTo("NOW UPPER");

    JsonNode listed =
        StreamSupport.stream(
                JSON.readTree(http.get("/functions").body()).get("functions").spliterator(), false)
            .filter(function -> function.get("name").asText().equals("life"))
            .findFirst()
            .orElseThrow();
    assertThat(listed.get("version").asText()).isEqualTo("2.0");
    assertThat(listed.get("kind").asText()).isEqualTo("command");
    assertThat(listed.get("deadlineMillis").asLong()).isEqualTo(500);
    assertThat(listed.get("memoryPages").asInt()).isEqualTo(32);

    assertThat(http.send("DELETE", "/functions/acme/life", new byte[0]).statusCode())
        .isEqualTo(204);
    assertThat(http.send("DELETE", "/functions/acme/life", new byte[0]).statusCode())
        .isEqualTo(404);
    HttpResponse<String> gone = http.post("/functions/acme/life", "");
    assertThat(gone.statusCode()).isEqualTo(404);
    assertThat(gone.body()).contains("no such function is deployed: function=acme/life");
  }

  @Test
  void namesTheVersionAfterTheModuleWhenNoneIsGiven() throws IOException {
    JsonNode info =
        JSON.readTree(http.deploy("/functions/acme/hash", ExampleModules.echo()).body());
    assertThat(info.get("version").asText())
        .hasSize(12)
        .isEqualTo(info.get("sha256").asText().substring(0, 12));
  }

  @Test
  void deploysByProgram() {
    FunctionInfo info =
        executor.deploy(Deployment.of("acme", "program", "7", ExampleModules.price()));
    assertThat(info.version()).isEqualTo("7");
    assertThat(executor.functions()).contains(info);
    assertThat(http.post("/functions/acme/program", "anvil").statusCode()).isEqualTo(200);
    assertThat(executor.undeploy(new FunctionName("acme", "program"))).isTrue();
    assertThatThrownBy(
            () -> executor.deploy(Deployment.of("acme", "program", "8", new byte[] {1, 2, 3, 4})))
        .isInstanceOfSatisfying(
            ModuleException.class, e -> assertThat(e.problem()).isEqualTo(ModuleProblem.NOT_WASM));
  }

  @Test
  void refusesBadModulesWithOneClearErrorEach() {
    byte[] good = ExampleModules.echo();
    assertRefused("text".getBytes(StandardCharsets.US_ASCII), 422, "not_wasm", "\\0asm");
    assertRefused(new byte[0], 422, "not_wasm", "sizeBytes=0");
    assertRefused(Arrays.copyOf(good, good.length / 2), 422, "truncated", "cut short in section");
    assertRefused(new byte[4097 * 1024], 413, "too_large", "limitBytes=4194304");

    ModuleBuilder imports = new ModuleBuilder();
    imports.importFunction("env", "launch_missiles", ">");
    imports.memory(1, 1).export("_start", ">", _ -> {});
    assertRefused(imports.build(), 422, "forbidden_import", "env.launch_missiles");

    ModuleBuilder noEntry = new ModuleBuilder();
    noEntry.memory(1, 1).export("main", ">", _ -> {});
    assertRefused(noEntry.build(), 422, "no_entry_point", "exports neither _start");

    ModuleBuilder large = new ModuleBuilder();
    large.memory(2_000).export("_start", ">", _ -> {});
    assertRefused(large.build(), 422, "memory_too_large", "initialPages=2000, limitPages=1024");
  }

  @Test
  void refusesBadNamesAndLimits() {
    byte[] good = ExampleModules.echo();
    assertThat(http.deploy("/functions/a%20b/c", good).statusCode()).isEqualTo(404);
    assertThat(http.deploy("/functions/onlytenant", good).statusCode()).isEqualTo(404);
    assertThat(http.deploy("/functions/acme/x?version=a/b", good).body())
        .contains("bad_name", "not a version: version=a/b");
    assertThat(http.deploy("/functions/acme/x?deadlineMillis=60001", good).body())
        .contains("bad_limit", "maxMillis=60000");
    assertThat(http.deploy("/functions/acme/x?deadlineMillis=soon", good).body())
        .contains("bad_limit", "deadlineMillis=soon");
    assertThat(http.deploy("/functions/acme/x?memoryPages=99999999999", good).body())
        .contains("bad_limit", "maxPages=8192");
    assertThat(http.post("/functions", "").statusCode()).isEqualTo(405);
  }

  // ---- invoking

  @Test
  void aReactorAnswersWithItsOwnHeaders() {
    executor.deploy(Deployment.of("acme", "echo", "1", ExampleModules.echo()));
    HttpResponse<String> text =
        http.post("/functions/acme/echo", "hello", "content-type", "text/plain");
    assertThat(text.statusCode()).isEqualTo(200);
    assertThat(text.body()).isEqualTo("hello");
    assertThat(text.headers().firstValue("content-type")).hasValue("text/plain");
    HttpResponse<String> bare = http.post("/functions/acme/echo", "hello");
    assertThat(bare.headers().firstValue("content-type")).hasValue("application/octet-stream");
    assertThat(http.post("/functions/acme/echo", "").body()).isEmpty();
  }

  @Test
  void aLargeBodyPassesThroughUnchanged() {
    executor.deploy(Deployment.of("acme", "large", "1", ExampleModules.echo()));
    String body = "0123456789abcdef".repeat(200_000);
    assertThat(http.post("/functions/acme/large", body).body()).isEqualTo(body);
    HttpResponse<String> tooLarge = http.post("/functions/acme/large", body.repeat(2));
    assertThat(tooLarge.statusCode()).isEqualTo(413);
    assertThat(tooLarge.body()).contains("too_large", "limitBytes=6291456");
  }

  @Test
  void theDemoFunctionWorksOutAPrice() throws IOException {
    executor.deploy(Deployment.of("acme", "price", "1", ExampleModules.price()));
    HttpResponse<String> anvil = http.post("/functions/acme/price", "anvil");
    assertThat(anvil.headers().firstValue("content-type")).hasValue("application/json");
    JsonNode json = JSON.readTree(anvil.body());
    assertThat(json.get("item").asText()).matches("[0-9a-f]{8}");
    assertThat(json.get("price").asText()).matches("[0-9]{4}\\.[0-9]{2}");
    assertThat(http.post("/functions/acme/price", "anvil").body()).isEqualTo(anvil.body());
    assertThat(http.post("/functions/acme/price", "rope").body()).isNotEqualTo(anvil.body());
  }

  @Test
  void aCommandReadsStandardInputAndWritesStandardOutput() {
    executor.deploy(Deployment.of("acme", "upper", "1", ExampleModules.upperCase()));
    String body = "The quick brown fox. ".repeat(1_000);
    HttpResponse<String> response = http.post("/functions/acme/upper", body);
    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEqualTo(body.toUpperCase(Locale.ROOT));
  }

  @Test
  void aCommandFindsTheRequestInItsEnvironment() {
    executor.deploy(Deployment.of("acme", "env", "3", TestModules.environment()));
    HttpResponse<String> response =
        http.post(
            "/functions/acme/env/a/b?x=1&y=2",
            "body",
            "content-type",
            "text/plain",
            "traceparent",
            TRACEPARENT,
            "tracestate",
            "v=1");
    assertThat(response.body().split("\0"))
        .containsExactlyInAnyOrder(
            "REQUEST_METHOD=POST",
            "SCRIPT_NAME=/functions/acme/env",
            "PATH_INFO=/a/b",
            "QUERY_STRING=x=1&y=2",
            "CONTENT_LENGTH=4",
            "CONTENT_TYPE=text/plain",
            "TRACEPARENT=" + TRACEPARENT,
            "TRACESTATE=v=1",
            "HEADSPAN_TENANT=acme",
            "HEADSPAN_FUNCTION=env",
            "HEADSPAN_VERSION=3");
  }

  @Test
  void anyMethodInvokesOnAPathBelow() {
    executor.deploy(Deployment.of("acme", "method", "1", TestModules.requestField(0)));
    for (String method : List.of("GET", "POST", "PATCH")) {
      assertThat(http.send(method, "/functions/acme/method", new byte[0]).body()).isEqualTo(method);
    }
    for (String method : List.of("PUT", "DELETE", "OPTIONS")) {
      assertThat(http.send(method, "/functions/acme/method/item/1", new byte[0]).body())
          .isEqualTo(method);
    }
    HttpResponse<String> head = http.send("HEAD", "/functions/acme/method", new byte[0]);
    assertThat(head.statusCode()).isEqualTo(200);
    assertThat(head.body()).isEmpty();
    executor.deploy(Deployment.of("acme", "path", "1", TestModules.requestField(1)));
    assertThat(http.get("/functions/acme/path").body()).isEqualTo("/");
    assertThat(http.get("/functions/acme/path/").body()).isEqualTo("/");
    assertThat(http.get("/functions/acme/path/a/b?c=d").body()).isEqualTo("/a/b");
  }

  @Test
  void theCallersSpanContextReachesTheGuest() {
    executor.deploy(Deployment.of("acme", "parent", "1", TestModules.requestField(4)));
    executor.deploy(Deployment.of("acme", "state", "1", TestModules.requestField(5)));
    String parent = "/functions/acme/parent";
    String state = "/functions/acme/state";
    assertThat(http.post(parent, "", "traceparent", TRACEPARENT).body()).isEqualTo(TRACEPARENT);
    assertThat(http.post(parent, "").statusCode()).isEqualTo(204);
    assertThat(http.post(parent, "", "traceparent", "00-zz-01").statusCode()).isEqualTo(204);
    assertThat(
            http.post(parent, "", "traceparent", TRACEPARENT, "traceparent", TRACEPARENT)
                .statusCode())
        .isEqualTo(204);
    assertThat(
            http.post(
                    state, "", "traceparent", TRACEPARENT, "tracestate", "a=1", "tracestate", "b=2")
                .body())
        .isEqualTo("a=1,b=2");
    assertThat(http.post(state, "", "tracestate", "a=1").statusCode()).isEqualTo(204);
  }

  @Test
  void nothingLeaksFromOneInvocationToTheNext() {
    executor.deploy(Deployment.of("acme", "leaks", "1", TestModules.countsCalls()));
    for (int i = 0; i < 5; i++) {
      assertThat(http.post("/functions/acme/leaks", "").body()).isEqualTo("\1\1\2A");
    }
  }

  @Test
  void whatTheInitialiserDidIsThereAndWasDoneOnce() {
    executor.deploy(Deployment.of("acme", "initialised", "1", TestModules.initialised()));
    for (int i = 0; i < 3; i++) {
      assertThat(http.post("/functions/acme/initialised", "").body()).isEqualTo("**\1");
    }
  }

  @Test
  void manyAtOnceGetEachItsOwnAnswer() {
    executor.deploy(Deployment.of("acme", "many", "1", ExampleModules.upperCase()));
    try (ExecutorService callers = Executors.newFixedThreadPool(8)) {
      List<CompletableFuture<String>> answers = new ArrayList<>();
      for (int i = 0; i < 400; i++) {
        String body = "call " + i;
        answers.add(
            CompletableFuture.supplyAsync(
                () -> http.post("/functions/acme/many", body).body(), callers));
      }
      for (int i = 0; i < 400; i++) {
        assertThat(answers.get(i).join()).isEqualTo("CALL " + i);
      }
    }
  }

  @Test
  void keepsTheConnectionAlive() throws IOException {
    executor.deploy(Deployment.of("acme", "alive", "1", ExampleModules.upperCase()));
    try (Socket socket = new Socket("127.0.0.1", executor.port())) {
      socket.setSoTimeout(30_000);
      for (String word : List.of("one", "two", "six")) {
        String request =
            "POST /functions/acme/alive HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n" + word;
        socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
        String response = readUntil(socket.getInputStream(), word.toUpperCase(Locale.ROOT));
        assertThat(response).startsWith("HTTP/1.1 200 OK\r\n").contains("content-length: 3\r\n");
      }
    }
  }

  // ---- what ends a function

  @Test
  void anInfiniteLoopEndsAtItsDeadline() {
    http.deploy("/functions/acme/loop?deadlineMillis=100", TestModules.infiniteLoop());
    for (int i = 0; i < 3; i++) {
      HttpResponse<String> response = http.post("/functions/acme/loop", "");
      assertThat(response.statusCode()).isEqualTo(504);
      assertThat(response.body()).contains("\"error\":\"deadline\"", "deadlineMillis=100");
    }
  }

  @Test
  void aSleepEndsAtItsDeadline() {
    http.deploy("/functions/acme/sleep?deadlineMillis=100", TestModules.sleep(3_600_000_000_000L));
    assertThat(http.post("/functions/acme/sleep", "").statusCode()).isEqualTo(504);
    http.deploy("/functions/acme/sleep", TestModules.sleep(1_000_000));
    assertThat(http.post("/functions/acme/sleep", "").statusCode()).isEqualTo(200);
  }

  @Test
  void trapsAreAnsweredWithTheirKindAndHarmNobody() {
    executor.deploy(Deployment.of("acme", "fine", "1", ExampleModules.upperCase()));
    Map<String, byte[]> traps = new HashMap<>();
    traps.put("unreachable", TestModules.unreachable());
    traps.put("stack_overflow", TestModules.endlessRecursion());
    traps.put("memory_out_of_bounds", TestModules.command(c -> c.i32(-1).i32(0).i32Store(0)));
    traps.put("divide_by_zero", TestModules.divideByZero());
    traps.put("response_too_large", TestModules.largeOutput(7 << 20));
    traps.forEach((kind, module) -> {
      executor.deploy(Deployment.of("acme", "trap", "1", module));
      HttpResponse<String> response = http.post("/functions/acme/trap", "");
      assertThat(response.statusCode()).isEqualTo(500);
      assertThat(response.body()).contains("\"error\":\"trap\"", "\"trap\":\"" + kind + "\"");
      assertThat(http.post("/functions/acme/fine", "ok").body()).isEqualTo("OK");
    });
  }

  @Test
  void aStackThatOverflowsInsideTheHostHarmsNobody() {
    executor.deploy(Deployment.of("acme", "fine", "1", ExampleModules.upperCase()));
    executor.deploy(Deployment.of("acme", "deep", "1", TestModules.endlessRecursionThroughHost()));
    for (int i = 0; i < 50; i++) {
      assertThat(http.post("/functions/acme/deep", "").body()).contains("stack_overflow");
    }
    assertThat(http.post("/functions/acme/fine", "ok").body()).isEqualTo("OK");
  }

  @Test
  void memoryStopsGrowingAtTheLimit() {
    http.deploy("/functions/acme/hog?memoryPages=64", TestModules.memoryHog(64));
    assertThat(http.post("/functions/acme/hog", "").statusCode()).isEqualTo(200);
    http.deploy("/functions/acme/hog?memoryPages=65", TestModules.memoryHog(64));
    assertThat(http.post("/functions/acme/hog", "").body()).contains("\"trap\":\"unreachable\"");
  }

  @Test
  void anExitCodeIsAFailureUnlessItIsZero() {
    executor.deploy(Deployment.of("acme", "exit", "1", TestModules.exit(3)));
    HttpResponse<String> three = http.post("/functions/acme/exit", "");
    assertThat(three.statusCode()).isEqualTo(500);
    assertThat(three.body()).contains("\"error\":\"exit\"", "code=3");
    executor.deploy(Deployment.of("acme", "exit", "2", TestModules.exit(0)));
    assertThat(http.post("/functions/acme/exit", "").statusCode()).isEqualTo(200);
  }

  @Test
  void endsTheFunctionOfACallerThatIsGone() throws IOException {
    http.deploy(
        "/functions/acme/abandoned?deadlineMillis=60000", TestModules.sleep(60_000_000_000L));
    try (Socket socket = new Socket("127.0.0.1", executor.port())) {
      socket
          .getOutputStream()
          .write(
              "POST /functions/acme/abandoned HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
                  .getBytes(StandardCharsets.US_ASCII));
      Await.until("it runs", () -> metric("headspan_wasm_instances") >= 1);
    }
    Await.until(
        "it is cancelled",
        () ->
            metric(
                    "headspan_wasm_invocations_total{function=\"abandoned\",outcome=\"cancelled\""
                        + ",reason=\"\",tenant=\"acme\"}")
                == 1);
  }

  @Test
  void turnsAwayWhatATenantOrTheQueueCannotTake() {
    Map<String, String> environment = environment(runDirectory.resolve("small"));
    environment.put("HEADSPAN_WASM_THREADS", "1");
    environment.put("HEADSPAN_WASM_QUEUE", "1");
    environment.put("HEADSPAN_WASM_TENANT_INVOCATIONS", "1");
    try (ExecutorService callers = Executors.newFixedThreadPool(2)) {
      CompletableFuture<HttpResponse<String>> running;
      CompletableFuture<HttpResponse<String>> waiting;
      try (WasmExecutor small = WasmExecutor.start(WasmConfig.from(environment))) {
        Http client = new Http(small.port());
        for (String tenant : List.of("a", "b", "c")) {
          client.deploy("/functions/" + tenant + "/sleep", TestModules.sleep(60_000_000_000L));
        }
        running =
            CompletableFuture.supplyAsync(() -> client.post("/functions/a/sleep", ""), callers);
        Await.until("one runs", () -> metric(client, "headspan_wasm_instances") == 1);

        HttpResponse<String> sameTenant = client.post("/functions/a/sleep", "");
        assertThat(sameTenant.statusCode()).isEqualTo(429);
        assertThat(sameTenant.headers().firstValue("retry-after")).hasValue("1");
        assertThat(sameTenant.body()).contains("tenant_limit");

        waiting =
            CompletableFuture.supplyAsync(() -> client.post("/functions/b/sleep", ""), callers);
        Await.until("one waits", () -> metric(client, "headspan_wasm_waiting") == 1);
        HttpResponse<String> full = client.post("/functions/c/sleep", "");
        assertThat(full.statusCode()).isEqualTo(503);
        assertThat(full.headers().firstValue("retry-after")).hasValue("1");
        assertThat(full.body()).contains("queue_full");
      }
      assertThat(running.join().body()).contains("stopping");
      assertThat(waiting.join().body()).contains("stopping");
    }
  }

  @Test
  void guestsTogetherStayWithinTheMemoryBudget() {
    Map<String, String> environment = environment(runDirectory.resolve("budget"));
    environment.put("HEADSPAN_WASM_MEMORY_TOTAL_MIB", "8");
    try (WasmExecutor small = WasmExecutor.start(WasmConfig.from(environment));
        Http client = new Http(small.port())) {
      client.deploy("/functions/acme/hog", TestModules.memoryHog(1_024));
      HttpResponse<String> response = client.post("/functions/acme/hog", "");
      assertThat(response.statusCode()).isEqualTo(503);
      assertThat(response.body()).contains("memory_budget", "limitBytes=8388608");
      assertThat(metric(client, "headspan_wasm_memory_bytes")).isZero();
    }
  }

  @Test
  void closesWhileAGuestRuns() {
    WasmExecutor other = WasmExecutor.start(config(runDirectory.resolve("other")));
    try (Http client = new Http(other.port());
        ExecutorService caller = Executors.newSingleThreadExecutor()) {
      client.deploy("/functions/acme/loop?deadlineMillis=60000", TestModules.infiniteLoop());
      var answer =
          CompletableFuture.supplyAsync(() -> client.post("/functions/acme/loop", ""), caller);
      Await.until("it runs", () -> metric(client, "headspan_wasm_instances") == 1);
      long beforeNs = System.nanoTime();
      other.close();
      assertThat(Duration.ofNanos(System.nanoTime() - beforeNs)).isLessThan(Duration.ofSeconds(10));
      assertThat(answer.join().statusCode()).isEqualTo(503);
    }
  }

  // ---- around it

  @Test
  void registersWithTheAgentUntilItCloses() throws IOException {
    Path directory = runDirectory.resolve("registered");
    Path file = directory.resolve("executors/" + ProcessHandle.current().pid() + ".json");
    try (WasmExecutor other = WasmExecutor.start(config(directory))) {
      JsonNode empty = JSON.readTree(Files.readAllBytes(file));
      assertThat(empty.get("pid").asLong()).isEqualTo(ProcessHandle.current().pid());
      assertThat(empty.get("port").asInt()).isEqualTo(other.port());
      String stat = Files.readString(Path.of("/proc/self/stat"));
      assertThat(empty.get("startTicks").asText()).isEqualTo(stat.split(" ", -1)[21]);
      assertThat(empty.get("functions")).isEmpty();

      other.deploy(Deployment.of("acme", "echo", "4", ExampleModules.echo()));
      JsonNode one = JSON.readTree(Files.readAllBytes(file));
      assertThat(one.get("functions").toString())
          .isEqualTo("[{\"tenant\":\"acme\",\"name\":\"echo\",\"version\":\"4\"}]");
      other.undeploy(new FunctionName("acme", "echo"));
      assertThat(JSON.readTree(Files.readAllBytes(file)).get("functions")).isEmpty();
      try (var files = Files.list(file.getParent())) {
        assertThat(files).containsExactly(file);
      }
    }
    assertThat(file).doesNotExist();
  }

  @Test
  void runsWithoutAPlaceToRegister() throws IOException {
    Path notADirectory = Files.createFile(runDirectory.resolve("file"));
    try (WasmExecutor other = WasmExecutor.start(config(notADirectory));
        Http client = new Http(other.port())) {
      other.deploy(Deployment.of("acme", "echo", "1", ExampleModules.echo()));
      assertThat(client.post("/functions/acme/echo", "hi").body()).isEqualTo("hi");
    }
  }

  @Test
  void saysWhichPortIsOccupied() {
    Map<String, String> environment = environment(runDirectory);
    environment.put("HEADSPAN_WASM_LISTEN", "127.0.0.1:" + executor.port());
    WasmConfig config = WasmConfig.from(environment);
    assertThatThrownBy(() -> WasmExecutor.start(config))
        .isInstanceOf(ExecutorException.class)
        .hasMessageContaining("port " + executor.port() + " is in use")
        .hasMessageContaining("HEADSPAN_WASM_LISTEN");
  }

  @Test
  void tellsAboutItself() {
    executor.deploy(Deployment.of("acme", "measured", "1", ExampleModules.price()));
    for (int i = 0; i < 3; i++) {
      http.post("/functions/acme/measured", "x");
    }
    assertThat(http.get("/ready").statusCode()).isEqualTo(200);
    String function = "{function=\"measured\",tenant=\"acme\"}";
    assertThat(
            metric(
                "headspan_wasm_invocations_total{function=\"measured\",outcome=\"answered\""
                    + ",reason=\"\",tenant=\"acme\"}"))
        .isEqualTo(3);
    assertThat(metric("headspan_wasm_invocation_seconds_count" + function)).isEqualTo(3);
    assertThat(metric("headspan_wasm_cpu_seconds_total" + function)).isPositive();
    assertThat(metric("headspan_wasm_host_calls_total" + function)).isEqualTo(3);
    assertThat(metric("headspan_wasm_memory_peak_pages_sum" + function)).isEqualTo(6);
    assertThat(metric("headspan_wasm_memory_written_bytes_sum" + function)).isPositive();
    assertThat(metric("headspan_wasm_deploy_seconds_count")).isPositive();
    executor.undeploy(new FunctionName("acme", "measured"));
    assertThat(http.get("/metrics").body()).doesNotContain("measured");
  }

  private void assertRefused(byte[] module, int status, String error, String message) {
    HttpResponse<String> response = http.deploy("/functions/acme/refused", module);
    assertThat(response.statusCode()).isEqualTo(status);
    assertThat(response.body())
        .contains("\"error\":\"" + error + "\"", message.replace("\\", "\\\\"));
    assertThat(http.post("/functions/acme/refused", "").statusCode()).isEqualTo(404);
  }

  private double metric(String series) {
    return metric(http, series);
  }

  /// The value of a series, 0 if it is not there.
  private static double metric(Http client, String series) {
    return client
        .get("/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith(series + " "))
        .mapToDouble(line -> Double.parseDouble(line.substring(series.length() + 1)))
        .findFirst()
        .orElse(0);
  }

  private static String readUntil(InputStream in, String end) throws IOException {
    StringBuilder text = new StringBuilder();
    while (text.indexOf("\r\n\r\n" + end) < 0) {
      int b = in.read();
      if (b < 0) {
        throw new AssertionError("the connection was closed after: " + text);
      }
      text.append((char) b);
    }
    return text.toString();
  }

  private static WasmConfig config(Path runDirectory) {
    return WasmConfig.from(environment(runDirectory));
  }

  private static Map<String, String> environment(Path runDirectory) {
    Map<String, String> environment = new HashMap<>();
    environment.put("HEADSPAN_WASM_LISTEN", "127.0.0.1:0");
    environment.put("HEADSPAN_RUN_DIR", runDirectory.toString());
    return environment;
  }
}
