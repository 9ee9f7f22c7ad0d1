package io.headspan.agent.libbpf;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LibbpfExceptionTest {
  @Test
  void namesWhatFailedOnWhatAndWhy() {
    LibbpfException failure = LibbpfException.failed("bpf_map__fd", "map=conns", 2, "");
    assertThat(failure).hasMessage("bpf_map__fd failed: map=conns, errno=ENOENT(2)");
    assertThat(failure.kind()).isEqualTo(LibbpfException.Kind.FAILED);
    assertThat(failure.errno()).isEqualTo(2);
    assertThat(failure.log()).isEmpty();
  }

  @Test
  void namesErrorNumbersOfLinuxAndOfLibbpf() {
    assertThat(Errno.describe(1)).isEqualTo("EPERM(1)");
    assertThat(Errno.describe(95)).isEqualTo("EOPNOTSUPP(95)");
    assertThat(Errno.describe(524)).isEqualTo("ENOTSUPP(524)");
    assertThat(Errno.describe(4007)).isEqualTo("LIBBPF_ERRNO__VERIFY(4007)");
    assertThat(Errno.describe(999)).isEqualTo("errno(999)");
  }

  @Test
  void saysHowToGetThePermission() {
    LibbpfException failure = LibbpfException.failed("bpf_object__load", "object=http", 1, "");
    assertThat(failure.kind()).isEqualTo(LibbpfException.Kind.NOT_PERMITTED);
    assertThat(failure)
        .hasMessage(
            "bpf_object__load failed: object=http, errno=EPERM(1); run as root, or with CAP_BPF,"
                + " CAP_PERFMON and CAP_NET_ADMIN");
  }

  @Test
  void tellsTheVerifiersRefusalFromAMissingPermission() {
    String log = "libbpf: prog 'x': -- BEGIN PROG LOAD LOG --\nR1 invalid\n-- END PROG LOAD LOG --";
    LibbpfException refused = LibbpfException.failed("bpf_object__load", "object=http", 13, log);
    assertThat(refused.kind()).isEqualTo(LibbpfException.Kind.REJECTED);
    assertThat(refused)
        .hasMessage("bpf_object__load failed: object=http, errno=EACCES(13)\n" + log);
    assertThat(LibbpfException.failed("open", "path=/x", 13, "").kind())
        .isEqualTo(LibbpfException.Kind.NOT_PERMITTED);
  }

  @Test
  void tellsWhatTheKernelLacks() {
    assertThat(LibbpfException.failed("bpf_object__load", "object=http", 3, "").kind())
        .isEqualTo(LibbpfException.Kind.NOT_SUPPORTED);
    assertThat(LibbpfException.failed("bpf_program__attach", "program=x", 524, "").kind())
        .isEqualTo(LibbpfException.Kind.NOT_SUPPORTED);
    String log = "-- BEGIN PROG LOAD LOG --\n12: (85) call unknown#181\ninvalid func unknown#181\n";
    assertThat(LibbpfException.failed("bpf_object__load", "object=http", 22, log).kind())
        .isEqualTo(LibbpfException.Kind.NOT_SUPPORTED);
    String function =
        "libbpf: extern (func ksym) 'bpf_cast_to_kern_ctx': not found in kernel or module BTFs";
    assertThat(LibbpfException.failed("bpf_object__load", "object=http", 22, function).kind())
        .isEqualTo(LibbpfException.Kind.NOT_SUPPORTED);
  }

  @Test
  void tellsAnObjectThatIsNone() {
    assertThat(LibbpfException.failed("bpf_object__open_mem", "object=http", 4000, "").kind())
        .isEqualTo(LibbpfException.Kind.REJECTED);
  }

  @Test
  void putsTheEndOfALongLogIntoTheMessageAndAllOfItBesideIt() {
    String log = "first line\n" + "x".repeat(20_000) + "\nthe verdict\n";
    LibbpfException failure = LibbpfException.failed("bpf_object__load", "object=http", 22, log);
    assertThat(failure.getMessage()).hasSizeLessThan(9_000).endsWith("x\nthe verdict");
    assertThat(failure.getMessage()).contains("\n[…] x");
    assertThat(failure.log()).isEqualTo(log);
  }
}
