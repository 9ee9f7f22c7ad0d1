package io.headspan.agent.libbpf;

/// A call to libbpf or to the kernel failed. The message says what was tried on what, the error's
/// name, what to do about it where that is known, and what libbpf and the verifier said.
public final class LibbpfException extends RuntimeException {
  /// How much of a log goes into the message. The verifier's verdict is at the end of its log.
  private static final int MESSAGE_LOG_CHARS = 8 * 1024;

  /// What the caller can do about it.
  public enum Kind {
    /// The library is missing, or the JVM may not call it.
    UNAVAILABLE,
    /// This process may not do it.
    NOT_PERMITTED,
    /// This kernel cannot do it: switch the feature off.
    NOT_SUPPORTED,
    /// The object does not fit: it is none, or lacks a program, map or variable, or the verifier
    /// refused it.
    REJECTED,
    /// Anything else.
    FAILED
  }

  private final Kind kind;
  private final int errno;
  private final String log;

  LibbpfException(Kind kind, String message) {
    this(kind, message, 0, "");
  }

  private LibbpfException(Kind kind, String message, int errno, String log) {
    super(message);
    this.kind = kind;
    this.errno = errno;
    this.log = log;
  }

  /// @param operation the function that failed
  /// @param subject what it was called on: `key=value, key=value`
  /// @param errno the positive error number
  /// @param log what libbpf printed meanwhile; may be empty
  static LibbpfException failed(String operation, String subject, int errno, String log) {
    Kind kind = kindOf(errno, log);
    var message = new StringBuilder(operation).append(" failed: ").append(subject);
    message.append(", errno=").append(Errno.describe(errno));
    if (kind == Kind.NOT_PERMITTED) {
      message.append("; run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN");
    }
    if (!log.isBlank()) {
      int start = Math.max(0, log.length() - MESSAGE_LOG_CHARS);
      message.append('\n').append(start == 0 ? "" : "[…] ").append(log.substring(start).strip());
    }
    return new LibbpfException(kind, message.toString(), errno, log);
  }

  private static Kind kindOf(int errno, String log) {
    // libbpf prints the verifier's log between lines with these words; the verifier names a helper
    // or kernel function that its kernel lacks "unknown func" (6.x) or "invalid func" (5.x).
    boolean verified = log.contains("PROG LOAD LOG");
    if (verified && (log.contains("unknown func ") || log.contains("invalid func "))) {
      return Kind.NOT_SUPPORTED;
    }
    // EINVAL, before the verifier: `extern (func ksym) 'bpf_cast_to_kern_ctx': not found in …`.
    if (log.contains("extern (func ksym)") && log.contains("not found in kernel")) {
      return Kind.NOT_SUPPORTED;
    }
    return switch (errno) {
      case Errno.EPERM -> Kind.NOT_PERMITTED;
      // ESRCH is libbpf's answer to an attach point or kernel function that the kernel's BTF lacks.
      case Errno.ENOSYS,
          Errno.EOPNOTSUPP,
          Errno.ENOTSUPP,
          Errno.ESRCH,
          Errno.LIBBPF_KERNEL_VERSION,
          Errno.LIBBPF_PROGRAM_TYPE ->
          Kind.NOT_SUPPORTED;
      // The verifier answers EACCES for a forbidden access; without its log it is a permission.
      case Errno.EACCES -> verified ? Kind.REJECTED : Kind.NOT_PERMITTED;
      default ->
          verified || (errno >= Errno.LIBBPF_FIRST && errno <= Errno.LIBBPF_LAST)
              ? Kind.REJECTED
              : Kind.FAILED;
    };
  }

  public Kind kind() {
    return kind;
  }

  /// The error number; 0 if the failure has none.
  public int errno() {
    return errno;
  }

  /// Everything libbpf printed during the call, the verifier's log included; may be empty.
  public String log() {
    return log;
  }
}
