package io.headspan.wasm.engine;

import com.dylibso.chicory.runtime.Instance;
import com.dylibso.chicory.runtime.TableInstance;
import com.dylibso.chicory.wasm.types.Table;
import com.dylibso.chicory.wasm.types.TableLimits;
import com.dylibso.chicory.wasm.types.Value;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A table that shares its entries with the image until it is written, and whose growth stays its
/// own: Chicory's table counts a growth in the module's own declaration, which all instances of the
/// module see.
///
/// Entries are function indexes of the one instance that has the table: guests import functions of
/// the host only, so an entry's instance is always "this one", which Chicory writes as null.
final class GuestTable extends TableInstance {
  private final TableLimits limits;
  private int[] references;
  private boolean shared;

  private GuestTable(Table declaration, int[] references, boolean shared, int maximum) {
    super(new Table(declaration.elementType(), new TableLimits(0, 0)), Value.REF_NULL_VALUE);
    this.limits = new TableLimits(references.length, maximum);
    this.references = references;
    this.shared = shared;
  }

  static GuestTable filled(Table declaration, int initialValue) {
    int[] references = new int[(int) declaration.limits().min()];
    Arrays.fill(references, initialValue);
    return new GuestTable(declaration, references, false, maximum(declaration));
  }

  static GuestTable of(Table declaration, int[] image) {
    return new GuestTable(declaration, image, true, maximum(declaration));
  }

  private static int maximum(Table declaration) {
    return (int) Math.min(declaration.limits().max(), ModuleLimits.TABLE_ENTRIES_MAX);
  }

  /// Takes the entries over; this table must not be used any more.
  int[] freeze() {
    return references;
  }

  @Override
  public int size() {
    return references.length;
  }

  @Override
  public TableLimits limits() {
    return limits;
  }

  @Override
  public int grow(int size, int value, @Nullable Instance instance) {
    int before = references.length;
    if (size < 0 || size > limits.max() - before) {
      return -1;
    }
    references = Arrays.copyOf(references, before + size);
    Arrays.fill(references, before, references.length, value);
    shared = false;
    return before;
  }

  @Override
  public int ref(int index) {
    if (index < 0 || index >= references.length) {
      throw outOfBounds(index);
    }
    return references[index];
  }

  @Override
  public int requiredRef(int index) {
    int reference = ref(index);
    if (reference == Value.REF_NULL_VALUE) {
      throw new GuestTrap(
          TrapKind.TABLE_OUT_OF_BOUNDS, "call of an empty table entry: index=" + index);
    }
    return reference;
  }

  @Override
  public void setRef(int index, int value, @Nullable Instance instance) {
    if (index < 0 || index >= references.length) {
      throw outOfBounds(index);
    }
    if (shared) {
      references = references.clone();
      shared = false;
    }
    references[index] = value;
  }

  @Override
  public @Nullable Instance instance(int index) {
    return null;
  }

  @Override
  public void reset() {
    references = new int[references.length];
    Arrays.fill(references, Value.REF_NULL_VALUE);
    shared = false;
  }

  private GuestTrap outOfBounds(int index) {
    return new GuestTrap(
        TrapKind.TABLE_OUT_OF_BOUNDS,
        "access outside of a table: index="
            + Integer.toUnsignedString(index)
            + ", entries="
            + references.length);
  }
}
