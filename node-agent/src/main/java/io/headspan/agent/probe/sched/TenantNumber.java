package io.headspan.agent.probe.sched;

/// The tenant numbers that the kernel gives out or takes for granted: `enum tenant_number` in
/// events.h.
public final class TenantNumber {
  /// A cgroup that nobody has looked up yet.
  public static final int UNKNOWN = 0;

  /// Nobody: the CPU was idle, on its way to wake up.
  public static final int IDLE = 1;

  /// Kernel threads.
  public static final int KERNEL = 2;

  /// Processes of the machine itself, in no container.
  public static final int HOST = 3;

  /// Containers of which the platform names no tenant.
  public static final int UNTENANTED = 4;

  /// The first number of a tenant with a name.
  public static final int FIRST = 16;

  private TenantNumber() {}
}
