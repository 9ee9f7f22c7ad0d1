package io.headspan.agent.libbpf;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static java.util.Objects.requireNonNull;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A compiled BPF object: its programs, maps and global variables.
///
/// Open it, set what is fixed at load time (variables, map sizes, which programs to load),
/// [#load()] it, attach programs. Closing detaches the links that are still attached, newest first,
/// and unloads everything. Whoever reads one of its maps or rings must have stopped before.
///
/// Threads: one at a time opens, configures, loads, attaches and closes; that need not be the same
/// thread, because the thread that shuts the agent down is not the one that started it. Maps may be
/// used from any thread.
public final class BpfObject implements AutoCloseable {
  private final String name;
  private final MemorySegment pointer;

  // Shared, for the reason above. Every pointer that is used for a call is bound to it, so a call
  // after close, or a close during a call, is an exception and not an access to freed memory.
  private final Arena arena;
  private final MemorySegment object;
  private final MemorySegment callState;
  private final Map<String, BpfProgram> programs;
  private final Map<String, BpfMap> maps;
  private final Map<String, GlobalVariables.Variable> variables;
  private final List<BpfLink> links = new ArrayList<>();
  private final Map<String, MemorySegment> loadedSections = new HashMap<>();
  private String warnings;
  private boolean loaded;
  private boolean closed;

  private BpfObject(String name, MemorySegment pointer, Arena arena, String warnings) {
    this.name = name;
    this.pointer = pointer;
    this.arena = arena;
    this.warnings = warnings;
    this.object = bind(pointer);
    this.callState = Libbpf.newCallState(arena);
    this.variables = GlobalVariables.of(Libbpf.objectBtf(object));
    this.programs = findPrograms();
    this.maps = findMaps();
  }

  /// Opens an object without loading anything into the kernel.
  ///
  /// @param name what to call it; the kernel shows it in the names of its data maps
  /// @param elf the object as clang made it, with BTF
  /// @throws LibbpfException if it is no BPF object, or libbpf cannot be called
  public static BpfObject open(String name, byte[] elf) {
    requireNonNull(name, "name");
    requireNonNull(elf, "elf");
    Libbpf.requireAvailable();
    try (Arena opening = Arena.ofConfined();
        LibbpfLog log = LibbpfLog.collect()) {
      MemorySegment image = opening.allocate(elf.length, JAVA_LONG.byteAlignment());
      image.copyFrom(MemorySegment.ofArray(elf));
      // struct bpf_object_open_opts of <bpf/libbpf.h>, up to object_name.
      MemorySegment options = opening.allocate(16, ADDRESS.byteAlignment());
      options.set(JAVA_LONG, 0, options.byteSize());
      options.set(ADDRESS, 8, opening.allocateFrom(name));
      MemorySegment callState = Libbpf.newCallState(opening);
      MemorySegment pointer = Libbpf.objectOpen(callState, image, image.byteSize(), options);
      if (pointer.address() == 0) {
        throw log.failed(
            "bpf_object__open_mem",
            "object=" + name + ", sizeBytes=" + elf.length,
            Libbpf.errno(callState));
      }
      Arena arena = Arena.ofShared();
      try {
        return new BpfObject(name, pointer, arena, log.text());
      } catch (RuntimeException | Error failure) {
        arena.close();
        Libbpf.objectClose(pointer);
        throw failure;
      }
    }
  }

  public String name() {
    return name;
  }

  /// The program of that name (of the C function, not of the section).
  ///
  /// @throws LibbpfException if there is none
  public BpfProgram program(String programName) {
    BpfProgram program = programs.get(programName);
    if (program == null) {
      throw absent("program", programName, programs.keySet());
    }
    return program;
  }

  /// All programs, in the object's order.
  public Collection<BpfProgram> programs() {
    return Collections.unmodifiableCollection(programs.values());
  }

  /// The map of that name.
  ///
  /// @throws LibbpfException if there is none
  public BpfMap map(String mapName) {
    BpfMap map = maps.get(mapName);
    if (map == null) {
      throw absent("map", mapName, maps.keySet());
    }
    return map;
  }

  /// All maps, those of global variables included, in the object's order.
  public Collection<BpfMap> maps() {
    return Collections.unmodifiableCollection(maps.values());
  }

  /// Whether the object has a global variable of that name.
  public boolean hasGlobal(String variableName) {
    return variables.containsKey(variableName);
  }

  /// Sets a number's initial value; the variable's own width counts.
  ///
  /// @throws LibbpfException if there is no such variable
  /// @throws IllegalArgumentException if it is no number of 1, 2, 4 or 8 bytes, or `value` does not
  ///   fit into it
  /// @throws IllegalStateException if the object is loaded and the variable constant
  public void setGlobal(String variableName, long value) {
    GlobalVariables.Variable variable = variable(variableName);
    int sizeBytes = variable.sizeBytes();
    if (sizeBytes != 1 && sizeBytes != 2 && sizeBytes != 4 && sizeBytes != 8) {
      throw new IllegalArgumentException(
          "not a number: variable=" + variableName + ", sizeBytes=" + sizeBytes);
    }
    long bits =
        GlobalVariables.fit(value, sizeBytes)
            .orElseThrow(() ->
                new IllegalArgumentException(
                    "value does not fit: variable=%s, sizeBytes=%d, value=%d"
                        .formatted(variableName, sizeBytes, value)));
    MemorySegment memory = writable(variable);
    switch (sizeBytes) {
      case 1 -> memory.set(JAVA_BYTE, 0, (byte) bits);
      case 2 -> memory.set(JAVA_SHORT, 0, (short) bits);
      case 4 -> memory.set(JAVA_INT, 0, (int) bits);
      default -> memory.set(JAVA_LONG, 0, bits);
    }
  }

  /// Sets the initial value of a variable of any type; `value` must be as long as the variable.
  ///
  /// @throws LibbpfException if there is no such variable
  /// @throws IllegalArgumentException if the lengths differ
  /// @throws IllegalStateException if the object is loaded and the variable constant
  public void setGlobal(String variableName, byte[] value) {
    GlobalVariables.Variable variable = variable(variableName);
    if (value.length != variable.sizeBytes()) {
      throw new IllegalArgumentException(
          "value has another size: variable=%s, sizeBytes=%d, valueSizeBytes=%d"
              .formatted(variableName, variable.sizeBytes(), value.length));
    }
    writable(variable).copyFrom(MemorySegment.ofArray(value));
  }

  /// The variable's memory, valid while the object is open: before load its initial value, after
  /// load (call again) the very memory the programs use. Read-only if the variable is constant.
  ///
  /// @throws LibbpfException if there is no such variable
  public MemorySegment global(String variableName) {
    GlobalVariables.Variable variable = variable(variableName);
    MemorySegment memory = memory(variable);
    return variable.isReadOnly() ? memory.asReadOnly() : memory;
  }

  /// Loads the maps and programs into the kernel.
  ///
  /// @throws LibbpfException with libbpf's messages and, if it refused a program, the verifier's
  ///   log; the object can then only be closed
  public void load() {
    if (loaded) {
      throw new IllegalStateException("the object is loaded already: object=" + name);
    }
    try (LibbpfLog log = LibbpfLog.collect()) {
      int result = Libbpf.objectLoad(object);
      if (result < 0) {
        throw log.failed("bpf_object__load", "object=" + name, -result);
      }
      warnings += log.text();
    }
    mapSections();
    loaded = true;
  }

  /// What libbpf warned of although opening, loading or attaching succeeded; empty if nothing.
  public String warnings() {
    return warnings;
  }

  /// Detaches, newest link first, and unloads. Does nothing the second time.
  ///
  /// @throws IllegalStateException if a thread is using one of the maps; nothing is closed then
  /// @throws LibbpfException if a link could not be destroyed; everything else is closed then
  @Override
  public void close() {
    if (closed) {
      return;
    }
    arena.close();
    closed = true;
    LibbpfException failure = null;
    for (BpfLink link : List.copyOf(links).reversed()) {
      try {
        link.close();
      } catch (LibbpfException linkFailure) {
        if (failure == null) {
          failure = linkFailure;
        } else {
          failure.addSuppressed(linkFailure);
        }
      }
    }
    Libbpf.objectClose(pointer);
    if (failure != null) {
      throw failure;
    }
  }

  /// Attaches `program` by `call` and keeps the link until it or this object is closed.
  BpfLink attach(BpfProgram program, String operation, String subject, Attachment call) {
    try (LibbpfLog log = LibbpfLog.collect()) {
      MemorySegment link = call.attach(callState);
      if (link.address() == 0) {
        throw log.failed(operation, subject, Libbpf.errno(callState));
      }
      warnings += log.text();
      var attached = new BpfLink(this, program.name(), link);
      links.add(attached);
      return attached;
    }
  }

  /// A libbpf function that gives a `struct bpf_link *`, or NULL and `errno` in `callState`.
  @FunctionalInterface
  interface Attachment {
    MemorySegment attach(MemorySegment callState);
  }

  void detached(BpfLink link) {
    links.remove(link);
  }

  boolean isLoaded() {
    return loaded;
  }

  private Map<String, BpfProgram> findPrograms() {
    var found = new LinkedHashMap<String, BpfProgram>();
    MemorySegment next = Libbpf.nextProgram(object, MemorySegment.NULL);
    while (next.address() != 0) {
      var program = new BpfProgram(this, bind(next));
      found.put(program.name(), program);
      next = Libbpf.nextProgram(object, next);
    }
    return found;
  }

  private Map<String, BpfMap> findMaps() {
    var found = new LinkedHashMap<String, BpfMap>();
    MemorySegment next = Libbpf.nextMap(object, MemorySegment.NULL);
    while (next.address() != 0) {
      var map = new BpfMap(this, bind(next));
      found.put(map.name(), map);
      next = Libbpf.nextMap(object, next);
    }
    return found;
  }

  private GlobalVariables.Variable variable(String variableName) {
    GlobalVariables.@Nullable Variable variable = variables.get(variableName);
    if (variable == null) {
      throw absent("variable", variableName, variables.keySet());
    }
    return variable;
  }

  private MemorySegment writable(GlobalVariables.Variable variable) {
    if (loaded && variable.isReadOnly()) {
      throw new IllegalStateException(
          "a constant cannot be set after load: object=%s, variable=%s"
              .formatted(name, variable.name()));
    }
    return memory(variable);
  }

  private MemorySegment memory(GlobalVariables.Variable variable) {
    MemorySegment section =
        loaded
            ? requireNonNull(loadedSections.get(variable.section()))
            : initialSection(variable.section());
    return section.asSlice(variable.offsetBytes(), variable.sizeBytes());
  }

  /// libbpf's copy of a data section, from which load fills the section's map.
  private MemorySegment initialSection(String section) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment sizeOut = scratch.allocate(JAVA_LONG);
      MemorySegment memory = Libbpf.mapInitialValue(sectionMap(section), sizeOut);
      if (memory.address() == 0) {
        throw LibbpfException.failed(
            "bpf_map__initial_value", "object=" + name + ", section=" + section, Errno.EINVAL, "");
      }
      return Libbpf.memory(memory, sizeOut.get(JAVA_LONG, 0), arena);
    }
  }

  /// Maps the data sections that the programs use from now on. (libbpf does so for skeletons only.)
  private void mapSections() {
    for (GlobalVariables.Variable variable : variables.values()) {
      loadedSections.computeIfAbsent(
          variable.section(), section -> mapSection(section, variable.isReadOnly()));
    }
  }

  private MemorySegment mapSection(String section, boolean readOnly) {
    MemorySegment map = sectionMap(section);
    long sizeBytes = Libbpf.mapValueSize(map);
    int protection = readOnly ? Libbpf.PROT_READ : Libbpf.PROT_READ | Libbpf.PROT_WRITE;
    return Libbpf.mapShared(
        Libbpf.mapFd(map),
        0,
        sizeBytes,
        protection,
        arena,
        "object=" + name + ", section=" + section);
  }

  private MemorySegment sectionMap(String section) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment map = Libbpf.findMap(object, scratch.allocateFrom(section));
      if (map.address() == 0) {
        throw absent("section", section, maps.keySet());
      }
      return map;
    }
  }

  private MemorySegment bind(MemorySegment nativePointer) {
    return Libbpf.memory(nativePointer, 0, arena);
  }

  private LibbpfException absent(String what, String wanted, Collection<String> present) {
    return new LibbpfException(
        LibbpfException.Kind.REJECTED,
        "the object has no such %s: object=%s, %s=%s, present=%s"
            .formatted(what, name, what, wanted, present));
  }
}
