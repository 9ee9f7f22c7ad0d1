package io.headspan.query.functions;

/// Which rows of `latency_minute` to count. What both an agent and a function's own SDK count is
/// taken from the one that counted more in that minute, the agent if they agree within 2 %, or
/// within three standard deviations of what sampled spans stand for
/// (docs/adr/0009-one-invocation-once.md).
final class CountedOnce {
  private static final String RANGE =
      """
      minute>=toStartOfMinute(fromUnixTimestamp64Nano({from:Int64},'UTC')) \
      AND minute<=fromUnixTimestamp64Nano({to:Int64},'UTC')\
      """;

  /// A condition on `latency_minute`; `from` and `to` have to be bound, in unix ns.
  static final String CONDITION =
      RANGE
          + """
           AND (tenant, service, minute, runtime='') NOT IN (\
          SELECT tenant, service, minute, agent*1.02+3*sqrt(spread)>=sdk \
          FROM (SELECT tenant, service, minute, \
          sumIf(invocations,runtime!='') AS agent, sumIf(invocations,runtime='') AS sdk, \
          sum(variance) AS spread \
          FROM latency_minute WHERE\
          """
          + " "
          + RANGE
          + """
           GROUP BY tenant, service, minute) \
          WHERE agent>0 AND sdk>0)\
          """;

  private CountedOnce() {}
}
