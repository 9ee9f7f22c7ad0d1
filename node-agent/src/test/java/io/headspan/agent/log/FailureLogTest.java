package io.headspan.agent.log;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class FailureLogTest {
  private final Logger logger = (Logger) LoggerFactory.getLogger(FailureLogTest.class);
  private final ListAppender<ILoggingEvent> told = new ListAppender<>();
  private final AtomicLong nowNs = new AtomicLong(-5);
  private final FailureLog failures = new FailureLog(logger, nowNs::get);

  @BeforeEach
  void listen() {
    logger.setLevel(Level.INFO);
    logger.setAdditive(false);
    told.start();
    logger.addAppender(told);
  }

  @AfterEach
  void leave() {
    logger.detachAppender(told);
    logger.setAdditive(true);
    logger.setLevel(null);
  }

  @Test
  void tellsOneLineWithTheReasonsAndNoStackTrace() {
    failures.warn(
        "State cannot be read",
        "cgroup=/a",
        new UncheckedIOException("x\ny", new NoSuchFileException("/run/x")));
    assertThat(lines())
        .containsExactly(
            "State cannot be read: cgroup=/a, UncheckedIOException: x y;"
                + " because: NoSuchFileException: /run/x");
    assertThat(told.list.getFirst().getThrowableProxy()).isNull();
    assertThat(told.list.getFirst().getLevel()).isEqualTo(Level.WARN);
  }

  @Test
  void tellsAKindOnceAMinuteAndHowManyWereLeftOut() {
    for (int i = 0; i < 100; i++) {
      failures.error("A", "n=" + i, new IOException("broken"));
      failures.error("B", "", new IOException());
    }
    nowNs.addAndGet(FailureLog.INTERVAL.toNanos() - 1);
    failures.error("A", "n=100", new IOException("broken"));
    nowNs.addAndGet(1);
    failures.error("A", "n=101", new IOException("broken"));
    assertThat(lines())
        .containsExactly(
            "A: n=0, broken",
            "B: IOException",
            "A: n=101, broken (100 more like it since the last such line)");
  }

  @Test
  void doesNotGrowWithKinds() {
    for (int i = 0; i < 10_000; i++) {
      failures.warn("kind " + i, "", new IOException("x"));
    }
    assertThat(lines()).hasSize(10_000);
  }

  private List<String> lines() {
    return told.list.stream().map(ILoggingEvent::getFormattedMessage).toList();
  }
}
