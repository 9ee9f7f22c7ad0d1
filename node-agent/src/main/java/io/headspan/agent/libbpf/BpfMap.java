package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// One map of a [BpfObject]. Valid while the object is open. May be used from any thread.
///
/// The methods that take segments copy nothing and allocate nothing; the segments are native
/// memory. Those that take arrays are for what is not done often.
public final class BpfMap {
  /// What an update does depending on whether the key is there.
  public enum Update {
    /// Makes the element or replaces it.
    ANY,
    /// Makes the element.
    ABSENT,
    /// Replaces the element.
    PRESENT
  }

  private final BpfObject object;
  private final MemorySegment map;
  private final String name;
  private final int type;
  private final int keySizeBytes;
  private final int valueSizeBytes;

  BpfMap(BpfObject object, MemorySegment map) {
    this.object = object;
    this.map = map;
    this.name = Libbpf.string(Libbpf.mapName(map));
    this.type = Libbpf.mapType(map);
    this.keySizeBytes = Libbpf.mapKeySize(map);
    this.valueSizeBytes = Libbpf.mapValueSize(map);
  }

  /// How many CPUs this machine may ever have: the number of values of a per-CPU element.
  public static int possibleCpus() {
    int count = Libbpf.possibleCpus();
    if (count < 0) {
      throw LibbpfException.failed("libbpf_num_possible_cpus", "", -count, "");
    }
    return count;
  }

  public String name() {
    return name;
  }

  /// The kernel's number of the map's type, `enum bpf_map_type`.
  public int type() {
    return type;
  }

  public int keySizeBytes() {
    return keySizeBytes;
  }

  /// Size of one value; of one CPU's value in a per-CPU map.
  public int valueSizeBytes() {
    return valueSizeBytes;
  }

  /// Size of what a look-up gives and an update takes: one value, or in a per-CPU map the values of
  /// all possible CPUs, each rounded up to 8 bytes.
  public int elementSizeBytes() {
    return isPerCpu() ? cpuStrideBytes() * possibleCpus() : valueSizeBytes;
  }

  /// Whether each CPU has a value of its own for each key.
  public boolean isPerCpu() {
    return switch (type) {
      case Libbpf.BPF_MAP_TYPE_PERCPU_HASH,
          Libbpf.BPF_MAP_TYPE_PERCPU_ARRAY,
          Libbpf.BPF_MAP_TYPE_LRU_PERCPU_HASH,
          Libbpf.BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE ->
          true;
      default -> false;
    };
  }

  /// How many elements the map can hold; for a ring buffer, its size in bytes.
  public int maxEntries() {
    return Libbpf.mapMaxEntries(map);
  }

  /// Sets [#maxEntries()], before load. For a ring buffer: a power of two of whole pages.
  public void setMaxEntries(int maxEntries) {
    int result = Libbpf.mapSetMaxEntries(map, maxEntries);
    if (result < 0) {
      throw failed("bpf_map__set_max_entries", ", maxEntries=" + maxEntries, -result);
    }
  }

  /// Has this object use a map of another one, which is loaded, instead of making its own; before
  /// load. The map lives as long as one of the two objects.
  ///
  /// @throws LibbpfException if libbpf refuses
  public void reuse(BpfMap other) {
    int result = Libbpf.mapReuseFd(map, other.fd());
    if (result < 0) {
      throw failed("bpf_map__reuse_fd", ", other=" + other.name(), -result);
    }
  }

  /// The map's file descriptor, owned by the object; only once loaded.
  public int fd() {
    int fd = Libbpf.mapFd(map);
    if (fd < 0) {
      throw failed("bpf_map__fd", "", -fd);
    }
    return fd;
  }

  /// Copies the element of `key` into `element`, [#elementSizeBytes()] long.
  ///
  /// @return false if there is none
  public boolean lookup(MemorySegment key, MemorySegment element) {
    int result = Libbpf.mapLookup(map, key, key.byteSize(), element, element.byteSize(), 0);
    return isPresent("bpf_map__lookup_elem", result);
  }

  /// The element of `key`, [#elementSizeBytes()] long; empty if there is none.
  public Optional<byte[]> lookup(byte[] key) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment element = arena.allocate(elementSizeBytes(), Long.BYTES);
      return lookup(copy(arena, key), element)
          ? Optional.of(element.toArray(JAVA_BYTE))
          : Optional.empty();
    }
  }

  /// Stores `element`, [#elementSizeBytes()] long, under `key`.
  ///
  /// @return false if `update` forbade it, because the key was there or was not
  public boolean update(MemorySegment key, MemorySegment element, Update update) {
    // BPF_ANY, BPF_NOEXIST, BPF_EXIST of <linux/bpf.h>.
    long flags =
        switch (update) {
          case ANY -> 0;
          case ABSENT -> 1;
          case PRESENT -> 2;
        };
    int result = Libbpf.mapUpdate(map, key, key.byteSize(), element, element.byteSize(), flags);
    return switch (update) {
      case ANY -> {
        check("bpf_map__update_elem", result);
        yield true;
      }
      case ABSENT -> result != -Errno.EEXIST && isPresent("bpf_map__update_elem", result);
      case PRESENT -> isPresent("bpf_map__update_elem", result);
    };
  }

  /// As [#update(MemorySegment, MemorySegment, Update)], with arrays.
  public boolean update(byte[] key, byte[] element, Update update) {
    try (Arena arena = Arena.ofConfined()) {
      return update(copy(arena, key), copy(arena, element), update);
    }
  }

  /// Removes the element of `key`.
  ///
  /// @return false if there was none
  public boolean delete(MemorySegment key) {
    return isPresent("bpf_map__delete_elem", Libbpf.mapDelete(map, key, key.byteSize(), 0));
  }

  /// As [#delete(MemorySegment)], with an array.
  public boolean delete(byte[] key) {
    try (Arena arena = Arena.ofConfined()) {
      return delete(copy(arena, key));
    }
  }

  /// Copies the key that follows `key` into `nextKey`; the first one if `key` is null, or if its
  /// element was removed meanwhile. The two may be the same segment.
  ///
  /// @return false if there is no further key
  public boolean nextKey(@Nullable MemorySegment key, MemorySegment nextKey) {
    int result =
        Libbpf.mapNextKey(map, key == null ? MemorySegment.NULL : key, nextKey, nextKey.byteSize());
    return isPresent("bpf_map__get_next_key", result);
  }

  /// The value of each possible CPU at `index` of a per-CPU array of 64-bit counters.
  public long[] perCpuCounters(int index) {
    if (type != Libbpf.BPF_MAP_TYPE_PERCPU_ARRAY || valueSizeBytes != Long.BYTES) {
      throw new IllegalStateException(
          "not a per-CPU array of 64-bit counters: map=%s, type=%d, valueSizeBytes=%d"
              .formatted(name, type, valueSizeBytes));
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment element = arena.allocate(elementSizeBytes(), Long.BYTES);
      if (!lookup(arena.allocateFrom(JAVA_INT, index), element)) {
        throw new IndexOutOfBoundsException(
            "no such counter: map=%s, index=%d, maxEntries=%d"
                .formatted(name, index, maxEntries()));
      }
      return element.toArray(JAVA_LONG);
    }
  }

  /// The sum of [#perCpuCounters(int)].
  public long perCpuSum(int index) {
    return Arrays.stream(perCpuCounters(index)).sum();
  }

  private int cpuStrideBytes() {
    return (valueSizeBytes + 7) & ~7;
  }

  private static MemorySegment copy(Arena arena, byte[] bytes) {
    MemorySegment copy = arena.allocate(bytes.length, Long.BYTES);
    copy.copyFrom(MemorySegment.ofArray(bytes));
    return copy;
  }

  private boolean isPresent(String operation, int result) {
    if (result == -Errno.ENOENT) {
      return false;
    }
    check(operation, result);
    return true;
  }

  private void check(String operation, int result) {
    if (result < 0) {
      throw failed(operation, "", -result);
    }
  }

  private LibbpfException failed(String operation, String details, int errno) {
    return LibbpfException.failed(
        operation, "object=" + object.name() + ", map=" + name + details, errno, "");
  }
}
