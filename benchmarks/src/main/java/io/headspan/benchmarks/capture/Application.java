package io.headspan.benchmarks.capture;

import java.io.IOException;

/// A server on which the agent's effect is measured, with the program that sends it requests.
interface Application extends AutoCloseable {
  /// What figures are named after.
  String name();

  /// Sends requests over `connections` connections, one after the other on each.
  ///
  /// @param prefix 16 hex digits that begin the trace ids
  /// @param perSecond requests on all connections together, whose latency counts from when they
  ///   were due; 0 for as fast as answered
  Run run(String prefix, int connections, int perSecond, int seconds)
      throws IOException, InterruptedException;

  @Override
  void close();

  /// What a run did.
  ///
  /// @param requests answered
  /// @param perSecond requests per second
  /// @param p50Us median latency, µs
  /// @param p99Us 99th percentile, µs
  /// @param errors connections and reads that failed
  record Run(long requests, double perSecond, double p50Us, double p99Us, long errors) {}
}
