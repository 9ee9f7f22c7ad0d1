package io.headspan.wasm.engine;

import com.dylibso.chicory.runtime.ConstantEvaluators;
import com.dylibso.chicory.runtime.Instance;
import com.dylibso.chicory.runtime.Memory;
import com.dylibso.chicory.wasm.types.ActiveDataSegment;
import com.dylibso.chicory.wasm.types.DataSegment;
import com.dylibso.chicory.wasm.types.PassiveDataSegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Linear memory that shares what it has not written.
///
/// Two tables have one slot per 4 KiB page. `readable` always has a page: the image's, the common
/// zero page, or the instance's own. `writable` has only the instance's own pages; an empty slot
/// there means that the first write must copy the page, which then stands in both tables. A read is
/// one table look-up and never a test whether the page is shared; a new instance is two arrays of
/// references, whatever the memory's size; and what an invocation left behind is garbage by itself.
///
/// It is the only [Memory] class in the process: generated code calls memory through the interface,
/// and with one receiver class the JIT inlines those calls. For the same reason it carries the
/// invocation's context for host functions, which get at it without a map or a thread local.
///
/// Not thread-safe; shared memories are refused when a module is compiled.
final class PagedMemory implements Memory, GuestMemory {
  static final int PAGE_SHIFT = 12;
  static final int PAGE_BYTES = 1 << PAGE_SHIFT;
  private static final int PAGE_MASK = PAGE_BYTES - 1;
  private static final int PAGES_PER_WASM_PAGE = PAGE_SIZE / PAGE_BYTES;

  /// Read by all, written by none.
  static final byte[] ZERO_PAGE = new byte[PAGE_BYTES];

  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final DataSegment[] NO_SEGMENTS = {};

  private final Object context;
  private final PageAllowance allowance;
  private final int initialWasmPages;
  private final int maximumWasmPages;

  /// False in clones of an image, whose data is in the image already.
  private final boolean loadsData;

  private byte[][] readable;
  private byte[] @Nullable [] writable;
  private int wasmPages;
  private int ownPages;
  private DataSegment[] segments = NO_SEGMENTS;

  private PagedMemory(
      Object context,
      PageAllowance allowance,
      byte[][] readable,
      int wasmPages,
      int maximumWasmPages,
      boolean loadsData) {
    this.context = context;
    this.allowance = allowance;
    this.readable = readable;
    this.writable = new byte[readable.length][];
    this.wasmPages = wasmPages;
    this.initialWasmPages = wasmPages;
    this.maximumWasmPages = maximumWasmPages;
    this.loadsData = loadsData;
  }

  /// A memory of zeros, which the module's data segments will be written to.
  static PagedMemory empty(
      Object context, PageAllowance allowance, int wasmPages, int maximumWasmPages) {
    byte[][] pages = new byte[wasmPages * PAGES_PER_WASM_PAGE][];
    Arrays.fill(pages, ZERO_PAGE);
    return new PagedMemory(context, allowance, pages, wasmPages, maximumWasmPages, true);
  }

  static PagedMemory of(
      Object context, PageAllowance allowance, MemoryImage image, int maximumWasmPages) {
    return new PagedMemory(
        context, allowance, image.pages().clone(), image.wasmPages(), maximumWasmPages, false);
  }

  /// Takes the content over; this memory must not be used any more.
  MemoryImage freeze() {
    byte[][] pages = readable;
    for (int i = 0; i < pages.length; i++) {
      if (Arrays.equals(pages[i], ZERO_PAGE)) {
        pages[i] = ZERO_PAGE;
      }
    }
    return new MemoryImage(pages, wasmPages);
  }

  Object context() {
    return context;
  }

  @Override
  public int pages() {
    return wasmPages;
  }

  @Override
  public long residentBytes() {
    return (long) ownPages << PAGE_SHIFT;
  }

  @Override
  public int grow(int wasmPagesMore) {
    int before = wasmPages;
    if (wasmPagesMore < 0 || wasmPagesMore > maximumWasmPages - before) {
      return -1;
    }
    if (wasmPagesMore > 0) {
      int slots = (before + wasmPagesMore) * PAGES_PER_WASM_PAGE;
      int old = readable.length;
      readable = Arrays.copyOf(readable, slots);
      Arrays.fill(readable, old, slots, ZERO_PAGE);
      writable = Arrays.copyOf(writable, slots);
      wasmPages = before + wasmPagesMore;
    }
    return before;
  }

  @Override
  public int initialPages() {
    return initialWasmPages;
  }

  @Override
  public int maximumPages() {
    return maximumWasmPages;
  }

  @Override
  public boolean shared() {
    return false;
  }

  // ---- one value

  @Override
  public byte read(int address) {
    byte[][] pages = readable;
    int slot = address >>> PAGE_SHIFT;
    if (slot >= pages.length) {
      throw outOfBounds(address, 1);
    }
    return pages[slot][address & PAGE_MASK];
  }

  @Override
  public short readShort(int address) {
    byte[][] pages = readable;
    int slot = address >>> PAGE_SHIFT;
    int offset = address & PAGE_MASK;
    if (slot < pages.length && offset <= PAGE_BYTES - Short.BYTES) {
      return (short) SHORT.get(pages[slot], offset);
    }
    return (short) readAcross(address, Short.BYTES);
  }

  @Override
  public int readInt(int address) {
    byte[][] pages = readable;
    int slot = address >>> PAGE_SHIFT;
    int offset = address & PAGE_MASK;
    if (slot < pages.length && offset <= PAGE_BYTES - Integer.BYTES) {
      return (int) INT.get(pages[slot], offset);
    }
    return (int) readAcross(address, Integer.BYTES);
  }

  @Override
  public long readLong(int address) {
    byte[][] pages = readable;
    int slot = address >>> PAGE_SHIFT;
    int offset = address & PAGE_MASK;
    if (slot < pages.length && offset <= PAGE_BYTES - Long.BYTES) {
      return (long) LONG.get(pages[slot], offset);
    }
    return readAcross(address, Long.BYTES);
  }

  @Override
  public void writeByte(int address, byte value) {
    byte[] @Nullable [] pages = writable;
    int slot = address >>> PAGE_SHIFT;
    if (slot >= pages.length) {
      throw outOfBounds(address, 1);
    }
    byte[] page = pages[slot];
    (page != null ? page : own(slot))[address & PAGE_MASK] = value;
  }

  @Override
  public void writeShort(int address, short value) {
    byte[] @Nullable [] pages = writable;
    int slot = address >>> PAGE_SHIFT;
    int offset = address & PAGE_MASK;
    if (slot < pages.length && offset <= PAGE_BYTES - Short.BYTES) {
      byte[] page = pages[slot];
      SHORT.set(page != null ? page : own(slot), offset, value);
    } else {
      writeAcross(address, value, Short.BYTES);
    }
  }

  @Override
  public void writeI32(int address, int value) {
    byte[] @Nullable [] pages = writable;
    int slot = address >>> PAGE_SHIFT;
    int offset = address & PAGE_MASK;
    if (slot < pages.length && offset <= PAGE_BYTES - Integer.BYTES) {
      byte[] page = pages[slot];
      INT.set(page != null ? page : own(slot), offset, value);
    } else {
      writeAcross(address, value, Integer.BYTES);
    }
  }

  @Override
  public void writeLong(int address, long value) {
    byte[] @Nullable [] pages = writable;
    int slot = address >>> PAGE_SHIFT;
    int offset = address & PAGE_MASK;
    if (slot < pages.length && offset <= PAGE_BYTES - Long.BYTES) {
      byte[] page = pages[slot];
      LONG.set(page != null ? page : own(slot), offset, value);
    } else {
      writeAcross(address, value, Long.BYTES);
    }
  }

  @Override
  public long readU16(int address) {
    return readShort(address) & 0xffffL;
  }

  @Override
  public long readF32(int address) {
    return readInt(address);
  }

  @Override
  public float readFloat(int address) {
    return Float.intBitsToFloat(readInt(address));
  }

  @Override
  public long readF64(int address) {
    return readLong(address);
  }

  @Override
  public double readDouble(int address) {
    return Double.longBitsToDouble(readLong(address));
  }

  @Override
  public void writeInt(int address, int value) {
    writeI32(address, value);
  }

  @Override
  public void writeF32(int address, float value) {
    writeI32(address, Float.floatToRawIntBits(value));
  }

  @Override
  public void writeF64(int address, double value) {
    writeLong(address, Double.doubleToRawLongBits(value));
  }

  // ---- ranges

  @Override
  public void checkRange(int address, int length) {
    long end = Integer.toUnsignedLong(address) + Integer.toUnsignedLong(length);
    if (end > (long) readable.length << PAGE_SHIFT) {
      throw outOfBounds(address, length);
    }
  }

  @Override
  public byte[] read(int address, int length) {
    checkRange(address, length);
    byte[] bytes = new byte[length];
    copyOut(address, bytes, 0, length);
    return bytes;
  }

  @Override
  public void read(int address, byte[] target, int offset, int length) {
    checkRange(address, length);
    copyOut(address, target, offset, length);
  }

  @Override
  public byte[] readBytes(int address, int length) {
    return read(address, length);
  }

  @Override
  public void write(int address, byte[] source, int offset, int length) {
    checkRange(address, length);
    // A segment that was dropped, or a range that a hostile memory.init gives, lies outside.
    if (Integer.toUnsignedLong(offset) + Integer.toUnsignedLong(length) > source.length) {
      throw new GuestTrap(
          TrapKind.MEMORY_OUT_OF_BOUNDS,
          "read outside of a data segment: offset="
              + Integer.toUnsignedString(offset)
              + ", length="
              + Integer.toUnsignedString(length)
              + ", segmentBytes="
              + source.length);
    }
    int from = offset;
    int to = address;
    int left = length;
    while (left > 0) {
      int chunk = Math.min(left, PAGE_BYTES - (to & PAGE_MASK));
      System.arraycopy(source, from, writablePage(to), to & PAGE_MASK, chunk);
      from += chunk;
      to += chunk;
      left -= chunk;
    }
  }

  @Override
  public void fill(byte value, int from, int to) {
    // The caller computed `to` as from + length in 32 bits; a length that overflowed gives to <
    // from.
    if (from < 0 || to < from) {
      throw outOfBounds(from, to - from);
    }
    checkRange(from, to - from);
    int at = from;
    while (at < to) {
      int chunk = Math.min(to - at, PAGE_BYTES - (at & PAGE_MASK));
      int slot = at >>> PAGE_SHIFT;
      if (value == 0 && chunk == PAGE_BYTES) {
        clear(slot);
      } else {
        int offset = at & PAGE_MASK;
        Arrays.fill(writablePage(at), offset, offset + chunk, value);
      }
      at += chunk;
    }
  }

  @Override
  public void copy(int target, int source, int length) {
    checkRange(source, length);
    checkRange(target, length);
    if (Integer.compareUnsigned(target, source) <= 0) {
      int done = 0;
      while (done < length) {
        int from = source + done;
        int to = target + done;
        int chunk =
            Math.min(length - done, PAGE_BYTES - Math.max(from & PAGE_MASK, to & PAGE_MASK));
        copyWithin(from, to, chunk);
        done += chunk;
      }
    } else {
      int left = length;
      while (left > 0) {
        int chunk =
            Math.min(
                left,
                1 + Math.min((source + left - 1) & PAGE_MASK, (target + left - 1) & PAGE_MASK));
        left -= chunk;
        copyWithin(source + left, target + left, chunk);
      }
    }
  }

  // ---- data segments

  @Override
  public void initialize(Instance instance, DataSegment[] dataSegments) {
    segments = dataSegments;
    if (!loadsData) {
      return;
    }
    for (DataSegment segment : dataSegments) {
      if (segment instanceof ActiveDataSegment active) {
        int address =
            (int) ConstantEvaluators.computeConstantValue(instance, active.offsetInstructions())[0];
        write(address, active.data(), 0, active.data().length);
      }
    }
  }

  @Override
  public void initPassiveSegment(int segment, int target, int offset, int length) {
    write(target, segments[segment].data(), offset, length);
  }

  @Override
  public void drop(int segment) {
    segments[segment] = PassiveDataSegment.EMPTY;
  }

  /// New memory is zero already, and clones are not to be.
  @Override
  public void zero() {}

  // ---- threads: not offered, but the interface asks

  @Override
  @SuppressWarnings("removal")
  public Object lock(int address) {
    return this;
  }

  @Override
  public void atomicFence() {
    VarHandle.fullFence();
  }

  @Override
  @SuppressWarnings("removal")
  public int waitOn(int address, int expected, long timeout) {
    throw waitTrap();
  }

  @Override
  @SuppressWarnings("removal")
  public int waitOn(int address, long expected, long timeout) {
    throw waitTrap();
  }

  @Override
  @SuppressWarnings("removal")
  public int notify(int address, int maxThreads) {
    checkRange(address, Integer.BYTES);
    return 0;
  }

  // ---- pages

  /// Gives the instance a copy of a page that it shared until now.
  private byte[] own(int slot) {
    allowance.takePage();
    ownPages++;
    byte[] page = readable[slot].clone();
    readable[slot] = page;
    writable[slot] = page;
    return page;
  }

  private byte[] writablePage(int address) {
    int slot = address >>> PAGE_SHIFT;
    byte[] page = writable[slot];
    return page != null ? page : own(slot);
  }

  private void clear(int slot) {
    byte[] page = writable[slot];
    if (page != null) {
      Arrays.fill(page, (byte) 0);
    } else {
      readable[slot] = ZERO_PAGE;
    }
  }

  private void copyOut(int address, byte[] target, int offset, int length) {
    int from = address;
    int to = offset;
    int left = length;
    while (left > 0) {
      int chunk = Math.min(left, PAGE_BYTES - (from & PAGE_MASK));
      System.arraycopy(readable[from >>> PAGE_SHIFT], from & PAGE_MASK, target, to, chunk);
      from += chunk;
      to += chunk;
      left -= chunk;
    }
  }

  /// Neither range crosses a page.
  private void copyWithin(int source, int target, int length) {
    // The target page first: if both are the same page, the copy must read what it will own.
    byte[] to = writablePage(target);
    System.arraycopy(
        readable[source >>> PAGE_SHIFT], source & PAGE_MASK, to, target & PAGE_MASK, length);
  }

  private long readAcross(int address, int length) {
    checkRange(address, length);
    long value = 0;
    for (int i = 0; i < length; i++) {
      value |= (read(address + i) & 0xffL) << (8 * i);
    }
    return value;
  }

  private void writeAcross(int address, long value, int length) {
    checkRange(address, length);
    for (int i = 0; i < length; i++) {
      writeByte(address + i, (byte) (value >>> (8 * i)));
    }
  }

  private GuestTrap outOfBounds(int address, int length) {
    return new GuestTrap(
        TrapKind.MEMORY_OUT_OF_BOUNDS,
        "access outside of memory: address="
            + Integer.toUnsignedString(address)
            + ", length="
            + Integer.toUnsignedString(length)
            + ", memoryBytes="
            + ((long) readable.length << PAGE_SHIFT));
  }

  private static GuestTrap waitTrap() {
    return new GuestTrap(
        TrapKind.PROTOCOL, "a wait on memory that no other thread shares would never end");
  }
}
