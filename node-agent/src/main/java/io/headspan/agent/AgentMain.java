package io.headspan.agent;

import java.util.concurrent.CountDownLatch;

/// Runs a node agent as a process of its own, configured by its environment, until it is told to
/// stop.
public final class AgentMain {
  private static final int WRONG = 2;

  private AgentMain() {}

  /// Starts the agent; ends with status 2 and one message if it cannot.
  public static void main(String[] arguments) throws InterruptedException {
    NodeAgent agent;
    try {
      agent = NodeAgent.start(AgentConfig.from(System.getenv()));
    } catch (AgentException e) {
      System.err.println("headspan agent: " + e.getMessage());
      System.exit(WRONG);
      return;
    }
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  agent.close();
                  stopped.countDown();
                },
                "headspan-stop"));
    stopped.await();
  }
}
