package io.headspan.loadgen.spans;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import java.util.UUID;

/// A made-up system of functions that call each other and their databases, the same for the same
/// seed. Calls go from functions of lower to functions of higher index, so there are no cycles.
///
/// @param functions in order of popularity
/// @param userAgents in order of popularity
record Topology(List<Function> functions, List<String> userAgents) {
  /// How many functions requests enter by.
  static final int ENTRIES = 8;

  private static final int FUNCTIONS = 48;
  private static final int NODES = 16;
  private static final int USER_AGENTS = 60;

  private static final String[] NOUNS = {
    "order",
    "cart",
    "payment",
    "user",
    "session",
    "product",
    "price",
    "stock",
    "shipment",
    "invoice",
    "review",
    "coupon",
    "address",
    "search",
    "image",
    "message"
  };
  private static final String[] ROLES = {"api", "store", "worker"};
  private static final String[] TENANTS = {
    "acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell"
  };
  private static final String[] RUNTIMES = {
    "container", "container", "container", "wasm", "wasm", "microvm", "unikernel", "process"
  };
  private static final String[] METHODS = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
  private static final String[] DATABASES = {"postgresql", "redis", "mongodb"};

  /// A function: what its instances have in common.
  ///
  /// @param index position in the topology
  /// @param callees functions that it may call
  record Function(
      int index,
      String name,
      String tenant,
      String team,
      String version,
      String runtime,
      List<Instance> instances,
      List<Operation> operations,
      List<Query> queries,
      int[] callees) {}

  /// One running copy of a function; its spans share a resource.
  record Instance(String id, String uid, String containerId, String host, String node, int pid) {}

  /// A kind of request that a function serves.
  ///
  /// @param path the route with `{id}` for what differs from request to request
  /// @param medianNs median of the time spent in the function itself
  record Operation(String method, String path, long medianNs) {
    String name() {
      return method + " " + path;
    }
  }

  /// A database call that a function makes.
  record Query(String system, String namespace, String operation, String collection, String text) {
    String name() {
      return operation + " " + collection;
    }
  }

  static Topology of(SplittableRandom random) {
    List<Function> functions = new ArrayList<>();
    for (int index = 0; index < FUNCTIONS; index++) {
      functions.add(function(random, index));
    }
    List<String> userAgents = new ArrayList<>();
    for (int i = 0; i < USER_AGENTS; i++) {
      userAgents.add(
          "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/%d.0.%d.%d Safari/537.36"
              .formatted(
                  random.nextInt(100, 140), random.nextInt(4000, 7000), random.nextInt(200)));
    }
    return new Topology(List.copyOf(functions), List.copyOf(userAgents));
  }

  private static Function function(SplittableRandom random, int index) {
    String noun = NOUNS[index % NOUNS.length];
    String tenant = TENANTS[random.nextInt(TENANTS.length)];
    List<Instance> instances = new ArrayList<>();
    for (int i = random.nextInt(1, 7); i > 0; i--) {
      instances.add(instance(random, noun));
    }
    List<Operation> operations = new ArrayList<>();
    for (int i = random.nextInt(3, 10); i > 0; i--) {
      operations.add(operation(random, noun, i));
    }
    List<Query> queries = new ArrayList<>();
    for (int i = random.nextInt(4); i > 0; i--) {
      queries.add(query(random, noun));
    }
    int[] callees = new int[Math.min(random.nextInt(5), FUNCTIONS - 1 - index)];
    for (int i = 0; i < callees.length; i++) {
      callees[i] = random.nextInt(index + 1, FUNCTIONS);
    }
    return new Function(
        index,
        noun + "-" + ROLES[index / NOUNS.length % ROLES.length],
        tenant,
        tenant + "-" + (char) ('a' + random.nextInt(4)),
        random.nextInt(5) + "." + random.nextInt(20) + "." + random.nextInt(10),
        RUNTIMES[random.nextInt(RUNTIMES.length)],
        List.copyOf(instances),
        List.copyOf(operations),
        List.copyOf(queries),
        callees);
  }

  private static Instance instance(SplittableRandom random, String noun) {
    StringBuilder containerId = new StringBuilder();
    for (int i = 0; i < 4; i++) {
      containerId.append(HexFormat.of().toHexDigits(random.nextLong()));
    }
    int node = random.nextInt(NODES);
    return new Instance(
        noun + "-" + HexFormat.of().toHexDigits(random.nextInt()),
        new UUID(random.nextLong(), random.nextLong()).toString(),
        containerId.toString(),
        "10.0.%d.%d".formatted(node, random.nextInt(2, 250)),
        "node-%02d".formatted(node),
        random.nextInt(1_000, 400_000));
  }

  private static Operation operation(SplittableRandom random, String noun, int number) {
    String path = "/api/v" + random.nextInt(1, 3) + "/" + noun + "s";
    if (number > 1) {
      path += "/{id}";
    }
    if (number > 3) {
      path += "/" + NOUNS[random.nextInt(NOUNS.length)];
    }
    String method = METHODS[random.nextInt(METHODS.length)];
    return new Operation(method, path, random.nextLong(200_000, 20_000_000));
  }

  private static Query query(SplittableRandom random, String noun) {
    String collection = noun + "_" + NOUNS[random.nextInt(NOUNS.length)];
    boolean read = random.nextInt(4) > 0;
    String text =
        read
            ? "SELECT id, state, updated_at, payload FROM %s WHERE %s_id = ? ORDER BY id LIMIT ?"
            : "INSERT INTO %s (%s_id, state, updated_at, payload) VALUES (?, ?, now(), ?)";
    return new Query(
        DATABASES[random.nextInt(DATABASES.length)],
        noun,
        read ? "SELECT" : "INSERT",
        collection,
        text.formatted(collection, noun));
  }
}
