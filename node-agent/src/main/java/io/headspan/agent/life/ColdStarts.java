package io.headspan.agent.life;

import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import java.util.LinkedHashMap;
import java.util.Map;

/// Which invocation was the first of its instance, and how long the instance took to answer it.
///
/// An instance begins with the first program that is executed in its cgroup, if the cgroup was seen
/// to be made; what a container runtime executes of itself in there on the way (`/proc/self/exe`
/// and the like) is no beginning. Its cold start ends with its first response. One thread.
public final class ColdStarts {
  static final int INSTANCES_MAX = 1 << 14;

  private static final String OF_ITSELF = "/proc/";

  /// By cgroup; those that were made first are forgotten first.
  private final Map<Long, Instance> instances =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Instance> eldest) {
          return size() > INSTANCES_MAX;
        }
      };

  private static final class Instance {
    long beginningNs;
    long firstResponseNs;
    long firstCookie;
  }

  public void onEvent(LifecycleEvent event) {
    switch (event) {
      case LifecycleEvent.CgroupCreated created ->
          instances.put(created.cgroupId(), new Instance());
      case LifecycleEvent.Exec exec -> {
        Instance instance = instances.get(exec.cgroupId());
        if (instance != null
            && instance.beginningNs == 0
            && !exec.filename().startsWith(OF_ITSELF)) {
          instance.beginningNs = exec.timeNs();
        }
      }
      // Its last exchanges may still be on their way.
      case LifecycleEvent.CgroupRemoved _ -> {}
      case LifecycleEvent.Exit _ -> {}
      case LifecycleEvent.SocketLeft _ -> {}
    }
  }

  /// Takes note of an exchange at its end, in the order in which they end.
  public void onExchange(HttpExchange exchange) {
    if (exchange.role() == HttpExchange.Role.SERVER && exchange.responseNs() != 0) {
      Instance instance = instances.get(exchange.cgroupId());
      if (instance != null && instance.firstResponseNs == 0) {
        instance.firstResponseNs = exchange.responseNs();
        instance.firstCookie = exchange.socketCookie();
      }
    }
  }

  /// From the beginning of its instance to the response, if it was the first one; else 0.
  public long coldStartNs(HttpExchange exchange) {
    Instance instance = instances.get(exchange.cgroupId());
    if (instance == null
        || instance.beginningNs == 0
        || exchange.role() != HttpExchange.Role.SERVER
        || exchange.responseNs() != instance.firstResponseNs
        || exchange.socketCookie() != instance.firstCookie) {
      return 0;
    }
    return Math.max(0, exchange.responseNs() - instance.beginningNs);
  }
}
