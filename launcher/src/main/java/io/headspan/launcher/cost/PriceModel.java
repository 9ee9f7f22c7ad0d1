package io.headspan.launcher.cost;

/// How a provider bills. A cost is the sum of what each price says; a price of 0 is not asked for.
///
/// @param currency ISO 4217 code
/// @param perMillionRequests for a million invocations
/// @param perGbSecond for a second of an invocation, waiting included, with 1 GiB of memory
/// @param roundUpMs to what each invocation's duration is rounded up for that: 1 or 100
/// @param perMillionCpuMs for a million milliseconds on a CPU
/// @param perInstanceSecond for a second of an instance's life, whatever its size
/// @param perVcpuSecond for a second of an instance's life and each of its vCPUs
/// @param perGbInstanceSecond for a second of an instance's life and each GiB of its memory
/// @param perLogGb for 1 GiB of stored logs
public record PriceModel(
    String name,
    String currency,
    double perMillionRequests,
    double perGbSecond,
    int roundUpMs,
    double perMillionCpuMs,
    double perInstanceSecond,
    double perVcpuSecond,
    double perGbInstanceSecond,
    double perLogGb) {
  private static final double GIB = 1L << 30;
  private static final double MS_PER_SECOND = 1_000;
  private static final double MILLION = 1e6;
  private static final double SECONDS_PER_MINUTE = 60;

  /// What `usage` costs.
  ///
  /// @param size of instances of which nobody told the memory, and vCPUs of all
  public double cost(Usage usage, InstanceSize size) {
    double gib = (usage.memoryBytes() > 0 ? usage.memoryBytes() : size.memoryBytes()) / GIB;
    double billedSeconds =
        (roundUpMs == 1 ? usage.billedMs() : usage.billed100Ms()) / MS_PER_SECOND;
    double instanceSeconds = usage.instanceMinutes() * SECONDS_PER_MINUTE;
    return usage.invocations() / MILLION * perMillionRequests
        + billedSeconds * gib * perGbSecond
        + usage.cpuSeconds() * MS_PER_SECOND / MILLION * perMillionCpuMs
        + instanceSeconds
            * (perInstanceSecond + size.vcpus() * perVcpuSecond + gib * perGbInstanceSecond)
        + usage.logBytes() / GIB * perLogGb;
  }

  /// How large instances are.
  ///
  /// @param memoryBytes of those of which nobody told
  public record InstanceSize(long memoryBytes, double vcpus) {}
}
