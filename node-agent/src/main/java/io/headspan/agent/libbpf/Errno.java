package io.headspan.agent.libbpf;

import java.util.Map;

/// Names of error numbers: Linux's (`include/uapi/asm-generic/errno-base.h`, `errno.h`, the same on
/// x86-64 and arm64), the one kernel-internal number that BPF lets out (`include/linux/errno.h`),
/// and libbpf's own (`enum libbpf_errno` in `bpf/libbpf.h`).
final class Errno {
  static final int EPERM = 1;
  static final int ENOENT = 2;
  static final int ESRCH = 3;
  static final int EINTR = 4;
  static final int EAGAIN = 11;
  static final int EACCES = 13;
  static final int EEXIST = 17;
  static final int EINVAL = 22;
  static final int ENOSYS = 38;
  static final int EOPNOTSUPP = 95;
  static final int ENOTSUPP = 524;
  static final int LIBBPF_FIRST = 4000;
  static final int LIBBPF_KERNEL_VERSION = 4009;
  static final int LIBBPF_PROGRAM_TYPE = 4010;
  static final int LIBBPF_LAST = 4013;

  private static final Map<Integer, String> NAMES =
      Map.ofEntries(
          Map.entry(EPERM, "EPERM"),
          Map.entry(ENOENT, "ENOENT"),
          Map.entry(ESRCH, "ESRCH"),
          Map.entry(EINTR, "EINTR"),
          Map.entry(5, "EIO"),
          Map.entry(6, "ENXIO"),
          Map.entry(7, "E2BIG"),
          Map.entry(8, "ENOEXEC"),
          Map.entry(9, "EBADF"),
          Map.entry(10, "ECHILD"),
          Map.entry(EAGAIN, "EAGAIN"),
          Map.entry(12, "ENOMEM"),
          Map.entry(EACCES, "EACCES"),
          Map.entry(14, "EFAULT"),
          Map.entry(15, "ENOTBLK"),
          Map.entry(16, "EBUSY"),
          Map.entry(EEXIST, "EEXIST"),
          Map.entry(18, "EXDEV"),
          Map.entry(19, "ENODEV"),
          Map.entry(20, "ENOTDIR"),
          Map.entry(21, "EISDIR"),
          Map.entry(EINVAL, "EINVAL"),
          Map.entry(23, "ENFILE"),
          Map.entry(24, "EMFILE"),
          Map.entry(25, "ENOTTY"),
          Map.entry(26, "ETXTBSY"),
          Map.entry(27, "EFBIG"),
          Map.entry(28, "ENOSPC"),
          Map.entry(29, "ESPIPE"),
          Map.entry(30, "EROFS"),
          Map.entry(31, "EMLINK"),
          Map.entry(32, "EPIPE"),
          Map.entry(33, "EDOM"),
          Map.entry(34, "ERANGE"),
          Map.entry(35, "EDEADLK"),
          Map.entry(36, "ENAMETOOLONG"),
          Map.entry(37, "ENOLCK"),
          Map.entry(ENOSYS, "ENOSYS"),
          Map.entry(39, "ENOTEMPTY"),
          Map.entry(40, "ELOOP"),
          Map.entry(42, "ENOMSG"),
          Map.entry(61, "ENODATA"),
          Map.entry(62, "ETIME"),
          Map.entry(71, "EPROTO"),
          Map.entry(74, "EBADMSG"),
          Map.entry(75, "EOVERFLOW"),
          Map.entry(84, "EILSEQ"),
          Map.entry(87, "EUSERS"),
          Map.entry(90, "EMSGSIZE"),
          Map.entry(92, "ENOPROTOOPT"),
          Map.entry(93, "EPROTONOSUPPORT"),
          Map.entry(EOPNOTSUPP, "EOPNOTSUPP"),
          Map.entry(98, "EADDRINUSE"),
          Map.entry(100, "ENETDOWN"),
          Map.entry(105, "ENOBUFS"),
          Map.entry(110, "ETIMEDOUT"),
          Map.entry(114, "EALREADY"),
          Map.entry(115, "EINPROGRESS"),
          Map.entry(116, "ESTALE"),
          Map.entry(122, "EDQUOT"),
          Map.entry(125, "ECANCELED"),
          Map.entry(ENOTSUPP, "ENOTSUPP"),
          Map.entry(LIBBPF_FIRST, "LIBBPF_ERRNO__LIBELF"),
          Map.entry(4001, "LIBBPF_ERRNO__FORMAT"),
          Map.entry(4002, "LIBBPF_ERRNO__KVERSION"),
          Map.entry(4003, "LIBBPF_ERRNO__ENDIAN"),
          Map.entry(4004, "LIBBPF_ERRNO__INTERNAL"),
          Map.entry(4005, "LIBBPF_ERRNO__RELOC"),
          Map.entry(4006, "LIBBPF_ERRNO__LOAD"),
          Map.entry(4007, "LIBBPF_ERRNO__VERIFY"),
          Map.entry(4008, "LIBBPF_ERRNO__PROG2BIG"),
          Map.entry(LIBBPF_KERNEL_VERSION, "LIBBPF_ERRNO__KVER"),
          Map.entry(LIBBPF_PROGRAM_TYPE, "LIBBPF_ERRNO__PROGTYPE"),
          Map.entry(4011, "LIBBPF_ERRNO__WRNGPID"),
          Map.entry(4012, "LIBBPF_ERRNO__INVSEQ"),
          Map.entry(LIBBPF_LAST, "LIBBPF_ERRNO__NLPARSE"));

  private Errno() {}

  /// The name and the number, as in `ENOENT(2)`; `errno(999)` for a number without a name.
  static String describe(int errno) {
    String name = NAMES.get(errno);
    return (name == null ? "errno" : name) + "(" + errno + ")";
  }
}
