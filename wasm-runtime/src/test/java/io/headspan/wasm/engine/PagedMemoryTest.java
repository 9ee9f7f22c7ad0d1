package io.headspan.wasm.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

class PagedMemoryTest {
  private static final int WASM_PAGE = 65_536;
  private static final int PAGE = 4_096;

  private final PageBudget budget = new PageBudget(1 << 26);

  @Test
  void agreesWithAnArrayOnRandomAccesses() {
    for (long seed = 1; seed <= 20; seed++) {
      Random random = new Random(seed);
      PagedMemory memory = PagedMemory.empty("", budget.open(), 2, 2);
      byte[] bytes = new byte[2 * WASM_PAGE];
      ByteBuffer model = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      for (int step = 0; step < 20_000; step++) {
        randomAccess(random, memory, model);
      }
      assertThat(memory.read(0, 2 * WASM_PAGE)).isEqualTo(bytes);
    }
  }

  private static void randomAccess(Random random, PagedMemory memory, ByteBuffer model) {
    // Near the borders of pages more often than chance would have it.
    int address =
        Math.clamp(
            random.nextInt(32) * PAGE + random.nextInt(random.nextBoolean() ? PAGE : 12) - 8,
            0,
            2 * WASM_PAGE - 8);
    long value = random.nextLong();
    switch (random.nextInt(11)) {
      case 0 -> {
        memory.writeByte(address, (byte) value);
        model.put(address, (byte) value);
      }
      case 1 -> {
        memory.writeShort(address, (short) value);
        model.putShort(address, (short) value);
      }
      case 2 -> {
        memory.writeI32(address, (int) value);
        model.putInt(address, (int) value);
      }
      case 3 -> {
        memory.writeLong(address, value);
        model.putLong(address, value);
      }
      case 4 -> {
        assertThat(memory.read(address)).isEqualTo(model.get(address));
        assertThat(memory.readShort(address)).isEqualTo(model.getShort(address));
        assertThat(memory.readInt(address)).isEqualTo(model.getInt(address));
        assertThat(memory.readLong(address)).isEqualTo(model.getLong(address));
      }
      case 5 -> {
        memory.writeF32(address, (float) value);
        model.putFloat(address, (float) value);
        assertThat(memory.readFloat(address)).isEqualTo((float) value);
      }
      case 6 -> {
        memory.writeF64(address, (double) value);
        model.putDouble(address, (double) value);
        assertThat(memory.readDouble(address)).isEqualTo((double) value);
      }
      case 7, 8 -> {
        int target = random.nextInt(2 * WASM_PAGE);
        int length = Math.min(random.nextInt(3 * PAGE), 2 * WASM_PAGE - Math.max(address, target));
        memory.copy(target, address, length);
        byte[] moved = new byte[length];
        model.get(address, moved).put(target, moved);
      }
      case 9 -> {
        int length = Math.min(random.nextInt(3 * PAGE), 2 * WASM_PAGE - address);
        byte fill = random.nextBoolean() ? 0 : (byte) value;
        memory.fill(fill, address, address + length);
        byte[] filled = new byte[length];
        Arrays.fill(filled, fill);
        model.put(address, filled);
      }
      default -> {
        byte[] bytes = new byte[Math.min(random.nextInt(2 * PAGE), 2 * WASM_PAGE - address)];
        random.nextBytes(bytes);
        memory.write(address, bytes, 0, bytes.length);
        model.put(address, bytes);
      }
    }
  }

  @Test
  void clonesOfAnImageDoNotSeeEachOther() {
    PagedMemory first = PagedMemory.empty("", budget.open(), 1, 2);
    first.writeI32(100, 7);
    MemoryImage image = first.freeze();
    PagedMemory a = PagedMemory.of("", budget.open(), image, 2);
    PagedMemory b = PagedMemory.of("", budget.open(), image, 2);
    a.writeI32(100, 8);
    a.writeI32(5 * PAGE, 9);
    a.fill((byte) 0, 0, PAGE);
    b.fill((byte) 0, 0, WASM_PAGE);
    b.writeI32(200, 3);
    assertThat(a.readInt(5 * PAGE)).isEqualTo(9);
    assertThat(b.readInt(5 * PAGE)).isZero();
    assertThat(b.readInt(100)).isZero();
    PagedMemory c = PagedMemory.of("", budget.open(), image, 2);
    assertThat(c.readInt(100)).isEqualTo(7);
    assertThat(c.readInt(200)).isZero();
    assertThat(PagedMemory.ZERO_PAGE).containsOnly(0);
  }

  @Test
  void aCopyFromTheSharedPageToItselfReadsWhatWasThere() {
    PagedMemory first = PagedMemory.empty("", budget.open(), 1, 1);
    first.write(0, new byte[] {1, 2, 3, 4, 5}, 0, 5);
    PagedMemory clone = PagedMemory.of("", budget.open(), first.freeze(), 1);
    clone.copy(2, 0, 5);
    assertThat(clone.read(0, 7)).containsExactly(1, 2, 1, 2, 3, 4, 5);
  }

  @Test
  void ownsAndPaysForOnlyWhatItWrites() {
    PagedMemory memory = PagedMemory.empty("", budget.open(), 16, 1_024);
    assertThat(budget.usedBytes()).isZero();
    memory.readLong(12_345);
    memory.fill((byte) 0, 0, 16 * WASM_PAGE);
    assertThat(memory.residentBytes()).isZero();
    memory.writeByte(0, (byte) 1);
    memory.writeByte(1, (byte) 1);
    memory.writeLong(PAGE - 4, 1);
    assertThat(memory.residentBytes()).isEqualTo(2 * PAGE);
    assertThat(memory.grow(1_000)).isEqualTo(16);
    assertThat(memory.residentBytes()).isEqualTo(2 * PAGE);
  }

  @Test
  void growsToItsMaximumOnly() {
    PagedMemory memory = PagedMemory.empty("", budget.open(), 1, 3);
    memory.writeByte(WASM_PAGE - 1, (byte) 5);
    assertThat(memory.grow(0)).isEqualTo(1);
    assertThat(memory.grow(2)).isEqualTo(1);
    assertThat(memory.pages()).isEqualTo(3);
    assertThat(memory.grow(1)).isEqualTo(-1);
    assertThat(memory.grow(-1)).isEqualTo(-1);
    assertThat(memory.grow(Integer.MAX_VALUE)).isEqualTo(-1);
    assertThat(memory.read(WASM_PAGE - 1)).isEqualTo((byte) 5);
    memory.writeLong(3 * WASM_PAGE - 8, 1);
  }

  @Test
  void everyAccessOutsideTraps() {
    PagedMemory memory = PagedMemory.empty("", budget.open(), 1, 1);
    int end = WASM_PAGE;
    for (int address : new int[] {end, end - 1, -1, -8, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
      if (address != end - 1) {
        assertTraps(() -> memory.read(address));
        assertTraps(() -> memory.writeByte(address, (byte) 1));
      }
      assertTraps(() -> memory.readShort(address));
      assertTraps(() -> memory.readInt(address));
      assertTraps(() -> memory.readLong(address));
      assertTraps(() -> memory.readFloat(address));
      assertTraps(() -> memory.readDouble(address));
      assertTraps(() -> memory.writeShort(address, (short) 1));
      assertTraps(() -> memory.writeI32(address, 1));
      assertTraps(() -> memory.writeLong(address, 1));
      assertTraps(() -> memory.writeF32(address, 1));
      assertTraps(() -> memory.writeF64(address, 1));
      assertTraps(() -> memory.read(address, 2));
      assertTraps(() -> memory.write(address, new byte[2], 0, 2));
      assertTraps(() -> memory.copy(address, 0, 2));
      assertTraps(() -> memory.copy(0, address, 2));
      assertTraps(() -> memory.fill((byte) 1, address, address + 2));
      assertTraps(() -> memory.checkRange(address, 2));
    }
    assertTraps(() -> memory.read(0, -1));
    assertTraps(() -> memory.copy(0, 0, -1));
    assertTraps(() -> memory.fill((byte) 1, 100, 50));
    assertTraps(() -> memory.write(0, new byte[4], 2, 3));
    assertTraps(() -> memory.write(0, new byte[4], -1, 1));
    assertTraps(() -> memory.write(0, new byte[4], 0, -1));
    assertThat(memory.read(0, WASM_PAGE)).containsOnly(0);
    memory.checkRange(end, 0);
    assertTraps(() -> memory.checkRange(end + 1, 0));
  }

  @Test
  void trapsWhenTheBudgetIsUsedUpAndGivesItBack() {
    PageBudget small = new PageBudget(128 * PAGE);
    try (PageAllowance one = small.open();
        PageAllowance two = small.open()) {
      PagedMemory a = PagedMemory.empty("", one, 16, 16);
      PagedMemory b = PagedMemory.empty("", two, 16, 16);
      a.fill((byte) 1, 0, 64 * PAGE);
      b.writeByte(0, (byte) 1);
      assertThat(small.usedBytes()).isEqualTo(128 * PAGE);
      assertThatThrownBy(() -> a.fill((byte) 1, 0, 65 * PAGE))
          .isInstanceOfSatisfying(
              GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.MEMORY_BUDGET));
    }
    assertThat(small.usedBytes()).isZero();
  }

  private static void assertTraps(ThrowingCallable access) {
    assertThatThrownBy(access)
        .isInstanceOfSatisfying(
            GuestTrap.class, e -> assertThat(e.kind()).isEqualTo(TrapKind.MEMORY_OUT_OF_BOUNDS));
  }
}
