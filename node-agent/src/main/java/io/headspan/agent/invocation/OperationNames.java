package io.headspan.agent.invocation;

import io.headspan.agent.http.RequestHead;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;

/// Names operations: method and path, with the segments that look like ids replaced by `{id}`. A
/// function has at most [#OPERATIONS_MAX] names; what comes after is `{other}`, and counted.
///
/// A segment looks like an id if it is all digits, a UUID, or hexadecimal of some length. Whoever
/// puts other things into paths runs into the limit, which is what the limit is for. One thread.
public final class OperationNames {
  static final int OPERATIONS_MAX = 200;
  static final int FUNCTIONS_MAX = 10_000;

  private static final String ID = "{id}";
  private static final String OTHER = "{other}";

  /// What the semantic conventions call a method that is none of those they know.
  private static final String OTHER_METHOD = "HTTP";

  private static final Set<String> METHODS =
      Set.of("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "CONNECT", "TRACE");

  private static final int HEX_MIN = 8;
  private static final int HEX_MIN_WITHOUT_DIGIT = 16;
  private static final int UUID_LENGTH = 36;

  private final Map<Object, Map<String, Map<String, String>>> functions =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(
            Map.Entry<Object, Map<String, Map<String, String>>> eldest) {
          return size() > FUNCTIONS_MAX;
        }
      };

  private final LongAdder others = new LongAdder();

  /// Whether the semantic conventions know `method`.
  public static boolean isKnownMethod(String method) {
    return METHODS.contains(method);
  }

  /// The name of a span.
  ///
  /// @param function what has names of its own: equal for instances of one function
  public String name(Object function, RequestHead head) {
    String method = isKnownMethod(head.method()) ? head.method() : OTHER_METHOD;
    String template = template(head.path());
    Map<String, Map<String, String>> names =
        functions.computeIfAbsent(function, _ -> new HashMap<>());
    Map<String, String> byTemplate = names.computeIfAbsent(method, _ -> new HashMap<>());
    String name = byTemplate.get(template);
    if (name == null) {
      if (count(names) >= OPERATIONS_MAX) {
        others.increment();
        return method + " " + OTHER;
      }
      name = template.isEmpty() ? method : method + " " + template;
      byTemplate.put(template, name);
    }
    return name;
  }

  /// How many spans were named `{other}`. Any thread.
  public long others() {
    return others.sum();
  }

  private static int count(Map<String, Map<String, String>> names) {
    int count = 0;
    for (Map<String, String> byTemplate : names.values()) {
      count += byTemplate.size();
    }
    return count;
  }

  /// The path with `{id}` for what looks like one; the path itself if nothing does.
  static String template(String path) {
    StringBuilder template = null;
    int copied = 0;
    int from = 0;
    while (from < path.length()) {
      int to = path.indexOf('/', from);
      if (to < 0) {
        to = path.length();
      }
      if (isId(path, from, to)) {
        if (template == null) {
          template = new StringBuilder(path.length());
        }
        template.append(path, copied, from).append(ID);
        copied = to;
      }
      from = to + 1;
    }
    return template == null ? path : template.append(path, copied, path.length()).toString();
  }

  private static boolean isId(String path, int from, int to) {
    int digits = 0;
    int letters = 0;
    int dashes = 0;
    for (int i = from; i < to; i++) {
      char c = path.charAt(i);
      if (c >= '0' && c <= '9') {
        digits++;
      } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        letters++;
      } else if (c == '-' && isUuidDash(i - from)) {
        dashes++;
      } else {
        return false;
      }
    }
    int length = to - from;
    if (dashes > 0) {
      return dashes == 4 && length == UUID_LENGTH;
    }
    if (letters == 0) {
      return digits > 0;
    }
    return length >= (digits > 0 ? HEX_MIN : HEX_MIN_WITHOUT_DIGIT);
  }

  private static boolean isUuidDash(int at) {
    return at == 8 || at == 13 || at == 18 || at == 23;
  }
}
