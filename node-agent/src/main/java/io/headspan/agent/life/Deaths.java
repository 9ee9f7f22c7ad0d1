package io.headspan.agent.life;

import io.headspan.agent.probe.http.HttpExchange;
import io.headspan.agent.probe.lifecycle.LifecycleEvent;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// Which exchanges ended because a process did. The evidence is the kernel's: it tells of every
/// connection that a process closed on its way out ([LifecycleEvent.SocketLeft]).
///
/// That record and the exchange's come through different rings, so an exchange that broke off is
/// held until everything that happened before has been read from the other ring, which is one beat.
/// One thread; the counters for any.
public final class Deaths {
  /// A connection whose peer does not answer the farewell is told to have ended only when the
  /// kernel stops trying, after a minute or two.
  static final long REMEMBER_NS = TimeUnit.MINUTES.toNanos(5);

  static final int REMEMBERED_MAX = 1 << 16;

  /// By socket cookie, oldest first.
  private final Map<Long, Death> deaths = new LinkedHashMap<>();

  private final ArrayDeque<Runnable> held = new ArrayDeque<>();
  private final LongAdder forgotten = new LongAdder();

  private record Death(String cause, long timeNs) {}

  /// Takes note of a connection that was left.
  public void onEvent(LifecycleEvent.SocketLeft left) {
    deaths.put(left.cookie(), new Death(cause(left.exitCode(), left.oomKilled()), left.timeNs()));
    if (deaths.size() > REMEMBERED_MAX) {
      Iterator<Death> oldest = deaths.values().iterator();
      oldest.next();
      oldest.remove();
      forgotten.increment();
    }
  }

  /// Holds `exchange` if its cause cannot be asked for yet.
  ///
  /// @param goOn is run by the next [#onEventsRead] if it is held
  /// @return whether it is
  public boolean hold(HttpExchange exchange, Runnable goOn) {
    return switch (exchange.end()) {
      case OPEN, RESPONSE -> false;
      case CLOSED, RESET -> {
        if (deaths.containsKey(exchange.socketCookie())) {
          yield false;
        }
        held.add(goOn);
        yield true;
      }
    };
  }

  /// Lets what is held go. To be called when all events that happened before the last call of
  /// [#hold] have been handed on.
  public void onEventsRead(long nowNs) {
    for (int i = held.size(); i > 0; i--) {
      held.remove().run();
    }
    Iterator<Death> oldest = deaths.values().iterator();
    while (oldest.hasNext() && nowNs - oldest.next().timeNs() > REMEMBER_NS) {
      oldest.remove();
    }
  }

  /// Why the process died that ended `exchange`: `oom_kill`, `signal:` and its number, or `exit:`
  /// and its status; null if none did.
  public @Nullable String causeOf(HttpExchange exchange) {
    return switch (exchange.end()) {
      case OPEN, RESPONSE -> null;
      case CLOSED, RESET -> {
        Death death = deaths.get(exchange.socketCookie());
        yield death == null ? null : death.cause();
      }
    };
  }

  /// How many are held.
  public int held() {
    return held.size();
  }

  /// How many deaths had to be forgotten before their time. Any thread.
  public long forgotten() {
    return forgotten.sum();
  }

  /// @param exitCode the kernel's: signal in the low 7 bits, status in the next byte
  static String cause(int exitCode, boolean oomKilled) {
    if (oomKilled) {
      return "oom_kill";
    }
    int signal = exitCode & 0x7f;
    return signal != 0 ? "signal:" + signal : "exit:" + (exitCode >> 8 & 0xff);
  }
}
