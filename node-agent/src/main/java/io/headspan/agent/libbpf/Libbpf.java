package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BOOLEAN;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;
import java.util.Optional;

/// All downcalls to libbpf and, for what BPF needs, to libc. One method per function, typed; no
/// handle leaves this class.
///
/// How libbpf 1.x reports errors (`bpf/libbpf_legacy.h`, always strict since 1.0): a function that
/// gives an `int` gives `-errno`; one that gives a pointer gives NULL and sets `errno`. The latter,
/// and libc's functions, therefore take a `callState` segment first ([#newCallState(Arena)], read
/// with [#errno(MemorySegment)]). It belongs to the calling object, which uses it from one thread
/// at a time.
///
/// Without the library or the right to call it every method throws [LibbpfException] with the
/// remedy; see [#problem()].
final class Libbpf {
  // <linux/bpf.h>
  static final int BPF_MAP_TYPE_PERCPU_HASH = 5;
  static final int BPF_MAP_TYPE_PERCPU_ARRAY = 6;
  static final int BPF_MAP_TYPE_LRU_PERCPU_HASH = 10;
  static final int BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE = 21;
  static final int BPF_MAP_TYPE_SK_STORAGE = 24;
  static final int BPF_MAP_TYPE_RINGBUF = 27;
  static final int BPF_PROG_TYPE_CGROUP_SKB = 8;
  static final int BPF_PROG_TYPE_SOCK_OPS = 13;
  static final int BPF_STATS_RUN_TIME = 0;
  static final int BTF_KIND_DATASEC = 15; // <linux/btf.h>

  // <bpf/libbpf.h>, enum libbpf_print_level
  static final int LIBBPF_WARN = 0;

  // <asm-generic/fcntl.h>; O_DIRECTORY differs between architectures and is left out.
  static final int O_RDONLY = 0;
  static final int O_CLOEXEC = 0x80000;

  // <asm-generic/mman-common.h>, <linux/mman.h>
  static final int PROT_READ = 1;
  static final int PROT_WRITE = 2;
  static final int MAP_SHARED = 1;
  static final long MAP_FAILED = -1;

  // <linux/eventpoll.h>
  static final int EPOLL_CLOEXEC = O_CLOEXEC;
  static final int EPOLL_CTL_ADD = 1;
  static final int EPOLLIN = 1;
  static final int EPOLLET = 1 << 31;

  /// `struct epoll_event` of <linux/eventpoll.h>: packed on x86-64 only. The data word is unused.
  static final long EPOLL_EVENT_SIZE_BYTES = isX86() ? 12 : 16;

  /// Size of a `va_list`'s structure in the System V ABI of x86-64 and in AAPCS64. In both a
  /// function that takes a `va_list` gets a pointer to the structure, and `va_copy` copies it.
  static final long VA_LIST_SIZE_BYTES = isX86() ? 24 : 32;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
  private static final StructLayout CALL_STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO_VALUE =
      CALL_STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));
  private static final LibbpfLibrary LIBRARY =
      LibbpfLibrary.find(LibbpfLibrary.FILE_NAME, LibbpfLibrary.DIRECTORIES);

  // libbpf: <bpf/libbpf.h>, <bpf/bpf.h>, <bpf/btf.h> of 1.1.2; every one is in 1.0 too.
  private static final MethodHandle BPF_OBJECT__OPEN_MEM =
      libbpf(
          "bpf_object__open_mem",
          FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_LONG, ADDRESS),
          ERRNO);
  private static final MethodHandle BPF_OBJECT__LOAD =
      libbpf("bpf_object__load", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_OBJECT__CLOSE =
      libbpf("bpf_object__close", FunctionDescriptor.ofVoid(ADDRESS));
  private static final MethodHandle BPF_OBJECT__BTF =
      libbpf("bpf_object__btf", FunctionDescriptor.of(ADDRESS, ADDRESS));
  private static final MethodHandle BPF_OBJECT__NEXT_PROGRAM =
      libbpf("bpf_object__next_program", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
  private static final MethodHandle BPF_OBJECT__NEXT_MAP =
      libbpf("bpf_object__next_map", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
  private static final MethodHandle BPF_OBJECT__FIND_MAP_BY_NAME =
      libbpf("bpf_object__find_map_by_name", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
  private static final MethodHandle BPF_PROGRAM__NAME =
      libbpf("bpf_program__name", FunctionDescriptor.of(ADDRESS, ADDRESS));
  private static final MethodHandle BPF_PROGRAM__SECTION_NAME =
      libbpf("bpf_program__section_name", FunctionDescriptor.of(ADDRESS, ADDRESS));
  private static final MethodHandle BPF_PROGRAM__FD =
      libbpf("bpf_program__fd", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_PROGRAM__SET_AUTOLOAD =
      libbpf("bpf_program__set_autoload", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_BOOLEAN));
  private static final MethodHandle BPF_PROGRAM__ATTACH =
      libbpf("bpf_program__attach", FunctionDescriptor.of(ADDRESS, ADDRESS), ERRNO);
  private static final MethodHandle BPF_PROGRAM__ATTACH_CGROUP =
      libbpf(
          "bpf_program__attach_cgroup", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT), ERRNO);
  private static final MethodHandle BPF_PROGRAM__ATTACH_ITER =
      libbpf("bpf_program__attach_iter", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS), ERRNO);
  private static final MethodHandle BPF_PROG_TEST_RUN_OPTS =
      libbpf("bpf_prog_test_run_opts", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_LINK__FD =
      libbpf("bpf_link__fd", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_LINK__DESTROY =
      libbpf("bpf_link__destroy", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_ITER_CREATE =
      libbpf("bpf_iter_create", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle BPF_MAP__NAME =
      libbpf("bpf_map__name", FunctionDescriptor.of(ADDRESS, ADDRESS));
  private static final MethodHandle BPF_MAP__FD =
      libbpf("bpf_map__fd", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_MAP__TYPE =
      libbpf("bpf_map__type", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_MAP__KEY_SIZE =
      libbpf("bpf_map__key_size", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_MAP__VALUE_SIZE =
      libbpf("bpf_map__value_size", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_MAP__MAX_ENTRIES =
      libbpf("bpf_map__max_entries", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_MAP__SET_MAX_ENTRIES =
      libbpf("bpf_map__set_max_entries", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle BPF_MAP__REUSE_FD =
      libbpf("bpf_map__reuse_fd", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
  private static final MethodHandle BPF_MAP__INITIAL_VALUE =
      libbpf("bpf_map__initial_value", FunctionDescriptor.of(ADDRESS, ADDRESS, ADDRESS));
  private static final MethodHandle BPF_MAP__LOOKUP_ELEM =
      libbpf(
          "bpf_map__lookup_elem",
          FunctionDescriptor.of(
              JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle BPF_MAP__UPDATE_ELEM =
      libbpf(
          "bpf_map__update_elem",
          FunctionDescriptor.of(
              JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle BPF_MAP__DELETE_ELEM =
      libbpf(
          "bpf_map__delete_elem",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_LONG, JAVA_LONG));
  private static final MethodHandle BPF_MAP__GET_NEXT_KEY =
      libbpf(
          "bpf_map__get_next_key",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG));
  private static final MethodHandle BTF__TYPE_CNT =
      libbpf("btf__type_cnt", FunctionDescriptor.of(JAVA_INT, ADDRESS));
  private static final MethodHandle BTF__TYPE_BY_ID =
      libbpf("btf__type_by_id", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
  private static final MethodHandle BTF__NAME_BY_OFFSET =
      libbpf("btf__name_by_offset", FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
  private static final MethodHandle LIBBPF_NUM_POSSIBLE_CPUS =
      libbpf("libbpf_num_possible_cpus", FunctionDescriptor.of(JAVA_INT));
  private static final MethodHandle LIBBPF_PROBE_BPF_MAP_TYPE =
      libbpf("libbpf_probe_bpf_map_type", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle LIBBPF_PROBE_BPF_PROG_TYPE =
      libbpf("libbpf_probe_bpf_prog_type", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));
  private static final MethodHandle BPF_ENABLE_STATS =
      libbpf("bpf_enable_stats", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle BPF_OBJ_GET_INFO_BY_FD =
      libbpf("bpf_obj_get_info_by_fd", FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS));
  private static final MethodHandle LIBBPF_SET_PRINT =
      libbpf("libbpf_set_print", FunctionDescriptor.of(ADDRESS, ADDRESS));

  // libc
  private static final MethodHandle OPEN =
      libc(
          "open",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
          ERRNO,
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle CLOSE =
      libc("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT), ERRNO);
  private static final MethodHandle READ =
      libc("read", FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG), ERRNO);
  private static final MethodHandle MMAP =
      libc(
          "mmap",
          FunctionDescriptor.of(
              ADDRESS, ADDRESS, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG),
          ERRNO);
  private static final MethodHandle MUNMAP =
      libc("munmap", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG), ERRNO);
  private static final MethodHandle EPOLL_CREATE1 =
      libc("epoll_create1", FunctionDescriptor.of(JAVA_INT, JAVA_INT), ERRNO);
  private static final MethodHandle EPOLL_CTL =
      libc(
          "epoll_ctl",
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, ADDRESS),
          ERRNO);
  private static final MethodHandle EPOLL_WAIT =
      libc(
          "epoll_wait",
          FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
          ERRNO);
  private static final MethodHandle CAPSET =
      libc("capset", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS), ERRNO);
  private static final MethodHandle SETPRIORITY =
      libc("setpriority", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT), ERRNO);
  private static final MethodHandle GETTID = libc("gettid", FunctionDescriptor.of(JAVA_INT));
  private static final MethodHandle GETPAGESIZE =
      libc("getpagesize", FunctionDescriptor.of(JAVA_INT));
  private static final MethodHandle VSNPRINTF =
      libc("vsnprintf", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS));

  static {
    if (LIBRARY instanceof LibbpfLibrary.Found) {
      installPrint();
    }
  }

  private Libbpf() {}

  /// Why libbpf cannot be called, and the remedy; empty if it can.
  static Optional<String> problem() {
    return switch (LIBRARY) {
      case LibbpfLibrary.Found _ -> Optional.empty();
      case LibbpfLibrary.Missing missing -> Optional.of(missing.reason());
    };
  }

  /// Throws if libbpf cannot be called.
  static void requireAvailable() {
    problem()
        .ifPresent(reason -> {
          throw unavailable(reason);
        });
  }

  static MemorySegment newCallState(Arena arena) {
    return arena.allocate(CALL_STATE);
  }

  /// The `errno` that the last failed call with this segment left.
  static int errno(MemorySegment callState) {
    return (int) ERRNO_VALUE.get(callState, 0L);
  }

  /// The NUL-terminated string at `pointer`, which C guarantees to be one.
  @SuppressWarnings("restricted")
  static String string(MemorySegment pointer) {
    return pointer.reinterpret(Integer.MAX_VALUE).getString(0);
  }

  /// The `sizeBytes` bytes at `pointer`, accessible while `arena` is open.
  @SuppressWarnings("restricted")
  static MemorySegment memory(MemorySegment pointer, long sizeBytes, Arena arena) {
    return pointer.reinterpret(sizeBytes, arena, null);
  }

  /// Maps part of a BPF map into this process until `arena` is closed.
  ///
  /// @param subject what it is part of, for the message of a failure
  @SuppressWarnings("restricted")
  static MemorySegment mapShared(
      int fd, long offset, long sizeBytes, int protection, Arena arena, String subject) {
    try (Arena calling = Arena.ofConfined()) {
      MemorySegment callState = newCallState(calling);
      MemorySegment address =
          mmap(callState, MemorySegment.NULL, sizeBytes, protection, MAP_SHARED, fd, offset);
      if (address.address() == MAP_FAILED) {
        throw LibbpfException.failed(
            "mmap",
            subject + ", offset=" + offset + ", sizeBytes=" + sizeBytes,
            errno(callState),
            "");
      }
      return address.reinterpret(sizeBytes, arena, Libbpf::unmap);
    }
  }

  private static void unmap(MemorySegment mapping) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment callState = newCallState(arena);
      if (munmap(callState, mapping, mapping.byteSize()) < 0) {
        throw LibbpfException.failed(
            "munmap", "sizeBytes=" + mapping.byteSize(), errno(callState), "");
      }
    }
  }

  /// The `sizeBytes` bytes at `pointer`, for as long as the caller knows them to be there.
  @SuppressWarnings("restricted")
  static MemorySegment memory(MemorySegment pointer, long sizeBytes) {
    return pointer.reinterpret(sizeBytes);
  }

  static MemorySegment objectOpen(
      MemorySegment callState, MemorySegment elf, long sizeBytes, MemorySegment options) {
    try {
      return (MemorySegment) BPF_OBJECT__OPEN_MEM.invokeExact(callState, elf, sizeBytes, options);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int objectLoad(MemorySegment object) {
    try {
      return (int) BPF_OBJECT__LOAD.invokeExact(object);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static void objectClose(MemorySegment object) {
    try {
      BPF_OBJECT__CLOSE.invokeExact(object);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment objectBtf(MemorySegment object) {
    try {
      return (MemorySegment) BPF_OBJECT__BTF.invokeExact(object);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment nextProgram(MemorySegment object, MemorySegment previous) {
    try {
      return (MemorySegment) BPF_OBJECT__NEXT_PROGRAM.invokeExact(object, previous);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment nextMap(MemorySegment object, MemorySegment previous) {
    try {
      return (MemorySegment) BPF_OBJECT__NEXT_MAP.invokeExact(object, previous);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment findMap(MemorySegment object, MemorySegment name) {
    try {
      return (MemorySegment) BPF_OBJECT__FIND_MAP_BY_NAME.invokeExact(object, name);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment programName(MemorySegment program) {
    try {
      return (MemorySegment) BPF_PROGRAM__NAME.invokeExact(program);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment programSection(MemorySegment program) {
    try {
      return (MemorySegment) BPF_PROGRAM__SECTION_NAME.invokeExact(program);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int programFd(MemorySegment program) {
    try {
      return (int) BPF_PROGRAM__FD.invokeExact(program);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int programSetAutoload(MemorySegment program, boolean autoload) {
    try {
      return (int) BPF_PROGRAM__SET_AUTOLOAD.invokeExact(program, autoload);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment programAttach(MemorySegment callState, MemorySegment program) {
    try {
      return (MemorySegment) BPF_PROGRAM__ATTACH.invokeExact(callState, program);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment programAttachCgroup(
      MemorySegment callState, MemorySegment program, int cgroupFd) {
    try {
      return (MemorySegment) BPF_PROGRAM__ATTACH_CGROUP.invokeExact(callState, program, cgroupFd);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment programAttachIterator(
      MemorySegment callState, MemorySegment program, MemorySegment options) {
    try {
      return (MemorySegment) BPF_PROGRAM__ATTACH_ITER.invokeExact(callState, program, options);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int programTestRun(int programFd, MemorySegment options) {
    try {
      return (int) BPF_PROG_TEST_RUN_OPTS.invokeExact(programFd, options);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int linkFd(MemorySegment link) {
    try {
      return (int) BPF_LINK__FD.invokeExact(link);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int linkDestroy(MemorySegment link) {
    try {
      return (int) BPF_LINK__DESTROY.invokeExact(link);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int iteratorCreate(int linkFd) {
    try {
      return (int) BPF_ITER_CREATE.invokeExact(linkFd);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment mapName(MemorySegment map) {
    try {
      return (MemorySegment) BPF_MAP__NAME.invokeExact(map);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapFd(MemorySegment map) {
    try {
      return (int) BPF_MAP__FD.invokeExact(map);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapType(MemorySegment map) {
    try {
      return (int) BPF_MAP__TYPE.invokeExact(map);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapKeySize(MemorySegment map) {
    try {
      return (int) BPF_MAP__KEY_SIZE.invokeExact(map);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapValueSize(MemorySegment map) {
    try {
      return (int) BPF_MAP__VALUE_SIZE.invokeExact(map);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapMaxEntries(MemorySegment map) {
    try {
      return (int) BPF_MAP__MAX_ENTRIES.invokeExact(map);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapSetMaxEntries(MemorySegment map, int maxEntries) {
    try {
      return (int) BPF_MAP__SET_MAX_ENTRIES.invokeExact(map, maxEntries);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapReuseFd(MemorySegment map, int fd) {
    try {
      return (int) BPF_MAP__REUSE_FD.invokeExact(map, fd);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment mapInitialValue(MemorySegment map, MemorySegment sizeOut) {
    try {
      return (MemorySegment) BPF_MAP__INITIAL_VALUE.invokeExact(map, sizeOut);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapLookup(
      MemorySegment map,
      MemorySegment key,
      long keySizeBytes,
      MemorySegment value,
      long valueSizeBytes,
      long flags) {
    try {
      return (int)
          BPF_MAP__LOOKUP_ELEM.invokeExact(map, key, keySizeBytes, value, valueSizeBytes, flags);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapUpdate(
      MemorySegment map,
      MemorySegment key,
      long keySizeBytes,
      MemorySegment value,
      long valueSizeBytes,
      long flags) {
    try {
      return (int)
          BPF_MAP__UPDATE_ELEM.invokeExact(map, key, keySizeBytes, value, valueSizeBytes, flags);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapDelete(MemorySegment map, MemorySegment key, long keySizeBytes, long flags) {
    try {
      return (int) BPF_MAP__DELETE_ELEM.invokeExact(map, key, keySizeBytes, flags);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int mapNextKey(
      MemorySegment map, MemorySegment key, MemorySegment nextKey, long keySizeBytes) {
    try {
      return (int) BPF_MAP__GET_NEXT_KEY.invokeExact(map, key, nextKey, keySizeBytes);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int btfTypeCount(MemorySegment btf) {
    try {
      return (int) BTF__TYPE_CNT.invokeExact(btf);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment btfType(MemorySegment btf, int id) {
    try {
      return (MemorySegment) BTF__TYPE_BY_ID.invokeExact(btf, id);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment btfName(MemorySegment btf, int offset) {
    try {
      return (MemorySegment) BTF__NAME_BY_OFFSET.invokeExact(btf, offset);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int possibleCpus() {
    try {
      return (int) LIBBPF_NUM_POSSIBLE_CPUS.invokeExact();
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int probeMapType(int type, MemorySegment options) {
    try {
      return (int) LIBBPF_PROBE_BPF_MAP_TYPE.invokeExact(type, options);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int probeProgramType(int type, MemorySegment options) {
    try {
      return (int) LIBBPF_PROBE_BPF_PROG_TYPE.invokeExact(type, options);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int enableStats(int type) {
    try {
      return (int) BPF_ENABLE_STATS.invokeExact(type);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int objectInfo(int fd, MemorySegment info, MemorySegment infoSizeInOut) {
    try {
      return (int) BPF_OBJ_GET_INFO_BY_FD.invokeExact(fd, info, infoSizeInOut);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment setPrint(MemorySegment function) {
    try {
      return (MemorySegment) LIBBPF_SET_PRINT.invokeExact(function);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int open(MemorySegment callState, MemorySegment path, int flags) {
    try {
      return (int) OPEN.invokeExact(callState, path, flags);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int capset(MemorySegment callState, MemorySegment header, MemorySegment data) {
    try {
      return (int) CAPSET.invokeExact(callState, header, data);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int setPriority(MemorySegment callState, int which, int who, int niceness) {
    try {
      return (int) SETPRIORITY.invokeExact(callState, which, who, niceness);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int threadId() {
    try {
      return (int) GETTID.invokeExact();
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int close(MemorySegment callState, int fd) {
    try {
      return (int) CLOSE.invokeExact(callState, fd);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static long read(MemorySegment callState, int fd, MemorySegment buffer, long sizeBytes) {
    try {
      return (long) READ.invokeExact(callState, fd, buffer, sizeBytes);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static MemorySegment mmap(
      MemorySegment callState,
      MemorySegment address,
      long sizeBytes,
      int protection,
      int flags,
      int fd,
      long offset) {
    try {
      return (MemorySegment)
          MMAP.invokeExact(callState, address, sizeBytes, protection, flags, fd, offset);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int munmap(MemorySegment callState, MemorySegment address, long sizeBytes) {
    try {
      return (int) MUNMAP.invokeExact(callState, address, sizeBytes);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int epollCreate(MemorySegment callState, int flags) {
    try {
      return (int) EPOLL_CREATE1.invokeExact(callState, flags);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int epollControl(
      MemorySegment callState, int epollFd, int operation, int fd, MemorySegment event) {
    try {
      return (int) EPOLL_CTL.invokeExact(callState, epollFd, operation, fd, event);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int epollWait(
      MemorySegment callState,
      int epollFd,
      MemorySegment events,
      int maxEvents,
      int timeoutMillis) {
    try {
      return (int) EPOLL_WAIT.invokeExact(callState, epollFd, events, maxEvents, timeoutMillis);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int pageSize() {
    try {
      return (int) GETPAGESIZE.invokeExact();
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  static int vsnprintf(
      MemorySegment buffer, long sizeBytes, MemorySegment format, MemorySegment arguments) {
    try {
      return (int) VSNPRINTF.invokeExact(buffer, sizeBytes, format, arguments);
    } catch (Throwable thrown) {
      throw rethrow(thrown);
    }
  }

  private static MethodHandle libbpf(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    return switch (LIBRARY) {
      case LibbpfLibrary.Found found -> handle(found.symbols(), name, descriptor, options);
      case LibbpfLibrary.Missing missing -> thrower(missing.reason(), descriptor, options);
    };
  }

  private static MethodHandle libc(
      String name, FunctionDescriptor descriptor, Linker.Option... options) {
    return handle(LINKER.defaultLookup(), name, descriptor, options);
  }

  @SuppressWarnings("restricted")
  private static MethodHandle handle(
      SymbolLookup symbols, String name, FunctionDescriptor descriptor, Linker.Option... options) {
    Optional<MemorySegment> address = symbols.find(name);
    if (address.isEmpty()) {
      return thrower(
          "the library has no such function: name=" + name + "; install libbpf 1.0 or newer",
          descriptor,
          options);
    }
    try {
      return LINKER.downcallHandle(address.get(), descriptor, options);
    } catch (IllegalCallerException _) {
      return thrower(LibbpfLibrary.NATIVE_ACCESS_DENIED, descriptor, options);
    }
  }

  /// A handle of the same type that throws: so a missing library is one clear exception at the
  /// call, not a class that fails to initialise.
  private static MethodHandle thrower(
      String reason, FunctionDescriptor descriptor, Linker.Option... options) {
    MethodType type = descriptor.toMethodType();
    for (Linker.Option option : options) {
      if (option.equals(ERRNO)) {
        type = type.insertParameterTypes(0, MemorySegment.class);
      }
    }
    try {
      MethodHandle exception =
          MethodHandles.lookup()
              .findStatic(
                  Libbpf.class,
                  "unavailable",
                  MethodType.methodType(LibbpfException.class, String.class))
              .bindTo(reason);
      MethodHandle thrower = MethodHandles.throwException(type.returnType(), LibbpfException.class);
      return MethodHandles.dropArguments(
          MethodHandles.collectArguments(thrower, 0, exception), 0, type.parameterList());
    } catch (ReflectiveOperationException failure) {
      throw new LinkageError(failure.getMessage(), failure);
    }
  }

  private static LibbpfException unavailable(String reason) {
    return new LibbpfException(LibbpfException.Kind.UNAVAILABLE, reason);
  }

  /// Gives libbpf its printer. libbpf keeps one per process, so the stub lives as long.
  @SuppressWarnings("restricted")
  private static void installPrint() {
    MethodHandle print = LibbpfLog.printer();
    FunctionDescriptor descriptor = FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS, ADDRESS);
    try {
      setPrint(LINKER.upcallStub(print, descriptor, Arena.global()));
    } catch (IllegalCallerException denied) {
      throw new AssertionError("the library was found without native access", denied);
    }
  }

  private static RuntimeException rethrow(Throwable thrown) {
    return switch (thrown) {
      case RuntimeException exception -> exception;
      case Error error -> throw error;
      default -> throw new AssertionError("a native function threw a checked exception", thrown);
    };
  }

  private static boolean isX86() {
    return System.getProperty("os.arch").equals("amd64");
  }
}
