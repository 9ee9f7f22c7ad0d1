package io.headspan.agent.invocation;

import io.headspan.agent.http.RequestHead;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;

/// Names operations: method and path template, as [PathTemplates] learns it per function. A
/// function has at most [#OPERATIONS_MAX] names, ever; what comes after is `{other}`, and counted.
/// Functions that were silent the longest are forgotten when there are too many, or their paths.
/// One thread.
public final class OperationNames {
  static final int OPERATIONS_MAX = 200;
  static final int FUNCTIONS_MAX = 10_000;

  /// About 60 MiB, were every place of every function the largest possible.
  static final int PLACES_MAX = 200_000;

  private static final String OTHER = "{other}";

  /// What the semantic conventions call a method that is none of those they know.
  private static final String OTHER_METHOD = "HTTP";

  private static final Set<String> METHODS =
      Set.of("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE");

  /// By function, the one that was silent the longest first.
  private final Map<Object, Function> functions = new LinkedHashMap<>(64, 0.75f, true);

  private int places;
  private final LongAdder others = new LongAdder();

  private static final class Function {
    final PathTemplates templates = new PathTemplates();

    /// By method, then template.
    final Map<String, Map<String, Operation>> operations = new HashMap<>();

    int count;
  }

  /// Whether the semantic conventions know `method`.
  public static boolean isKnownMethod(String method) {
    return METHODS.contains(method);
  }

  /// What a span is to be named after.
  ///
  /// @param function what has names of its own: equal for instances of one function
  public Operation of(Object function, RequestHead head) {
    String method = isKnownMethod(head.method()) ? head.method() : OTHER_METHOD;
    Function known = functions.computeIfAbsent(function, _ -> new Function());
    int placesBefore = known.templates.places();
    String template = known.templates.of(head.path());
    places += known.templates.places() - placesBefore;
    forgetSilent(known);
    Map<String, Operation> byTemplate =
        known.operations.computeIfAbsent(method, _ -> new HashMap<>());
    Operation operation = template == null ? null : byTemplate.get(template);
    if (operation != null) {
      return operation;
    }
    if (template == null || known.count >= OPERATIONS_MAX) {
      others.increment();
      return new Operation(method + " " + OTHER, null);
    }
    operation =
        template.isEmpty()
            ? new Operation(method, null)
            : new Operation(method + " " + template, template);
    byTemplate.put(template, operation);
    known.count++;
    return operation;
  }

  /// How many spans were named `{other}`. Any thread.
  public long others() {
    return others.sum();
  }

  /// How many functions have names.
  int functions() {
    return functions.size();
  }

  private void forgetSilent(Function current) {
    Iterator<Function> oldest = functions.values().iterator();
    while ((functions.size() > FUNCTIONS_MAX || places > PLACES_MAX) && oldest.hasNext()) {
      Function function = oldest.next();
      if (function == current) {
        return;
      }
      // Its root was never added.
      places -= function.templates.places() - 1;
      oldest.remove();
    }
  }
}
