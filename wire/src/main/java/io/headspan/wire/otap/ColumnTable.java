package io.headspan.wire.otap;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.google.protobuf.ByteString;
import io.headspan.wire.Utf8Table;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A small table of texts and 64-bit integers as one Arrow IPC stream of its own, with the same
/// reader and writer as OTel-Arrow has. None of its values is null. Immutable, except that arrays
/// are not copied.
public final class ColumnTable {
  /// Bytes of memory a decoded row of one column takes at most, beside its text.
  private static final int VALUE_BYTES = 16;

  private final int rows;
  private final Map<String, String[]> texts;
  private final Map<String, long[]> numbers;

  private ColumnTable(int rows, Map<String, String[]> texts, Map<String, long[]> numbers) {
    this.rows = rows;
    this.texts = texts;
    this.numbers = numbers;
  }

  /// A table to be filled: values of [#texts] and [#numbers] are empty and 0 until they are set.
  public static ColumnTable of(int rows, List<String> textColumns, List<String> numberColumns) {
    Map<String, String[]> texts = new LinkedHashMap<>();
    for (String name : textColumns) {
      String[] values = new String[rows];
      Arrays.fill(values, "");
      texts.put(name, values);
    }
    Map<String, long[]> numbers = new LinkedHashMap<>();
    numberColumns.forEach(name -> numbers.put(name, new long[rows]));
    return new ColumnTable(rows, texts, numbers);
  }

  public int rows() {
    return rows;
  }

  /// Values of a column of texts.
  public String[] texts(String name) {
    return Objects.requireNonNull(texts.get(name), name);
  }

  /// Values of a column of numbers.
  public long[] numbers(String name) {
    return Objects.requireNonNull(numbers.get(name), name);
  }

  /// The table as Arrow IPC messages.
  public ByteString encode() {
    Utf8Table table = new Utf8Table();
    Map<OutColumn.Texts, String[]> textColumns = new LinkedHashMap<>();
    Map<OutColumn.Longs, long[]> numberColumns = new LinkedHashMap<>();
    texts.forEach((name, values) ->
        textColumns.put(OutColumn.Texts.of(name, false, textColumns.size()), values));
    numbers.forEach((name, values) ->
        numberColumns.put(new OutColumn.Longs(name, OutColumn.Longs.Of.INTEGERS, false), values));
    List<OutColumn> columns =
        Stream.<OutColumn>concat(textColumns.keySet().stream(), numberColumns.keySet().stream())
            .toList();
    columns.forEach(column -> column.start(rows));
    textColumns.forEach((column, values) -> {
      for (int row = 0; row < rows; row++) {
        column.set(row, table.intern(values[row]));
      }
    });
    numberColumns.forEach((column, values) -> {
      for (int row = 0; row < rows; row++) {
        column.set(row, values[row]);
      }
    });
    boolean changed = true;
    while (changed) {
      columns.forEach(OutColumn::restart);
      changed = false;
      for (OutColumn column : columns) {
        changed |= column.prepare(table);
      }
    }
    try (IpcWriter out = new IpcWriter()) {
      out.schema(columns);
      columns.forEach(column -> column.dictionaries(out));
      out.startBatch();
      columns.forEach(column -> column.write(out));
      out.endBatch(rows);
      return out.take();
    }
  }

  /// Reads a table with at least these columns; others are not looked at.
  ///
  /// @param limitBytes memory it may take
  /// @throws OtapException of kind INVALID if the bytes are no such table, LIMIT if it is too large
  public static ColumnTable decode(
      ByteString messages, List<String> textColumns, List<String> numberColumns, long limitBytes) {
    MemoryBudget budget = new MemoryBudget(limitBytes);
    Zstd zstd = new Zstd();
    ArrowStream stream = new ArrowStream("table", budget, zstd::context);
    try {
      budget.use(messages.size());
      ArrowTable table = stream.read(messages);
      int columns = textColumns.size() + numberColumns.size();
      budget.use((long) table.rows() * VALUE_BYTES * columns);
      ColumnTable decoded = of(table.rows(), textColumns, numberColumns);
      TextInterner interner = new TextInterner();
      int[] ids = new int[table.rows()];
      for (String name : textColumns) {
        table.require(name).texts(0, table.rows(), ids, interner);
        String[] values = decoded.texts(name);
        for (int row = 0; row < values.length; row++) {
          values[row] = interner.string(ids[row]);
        }
      }
      for (String name : numberColumns) {
        table.require(name).longs(0, table.rows(), decoded.numbers(name));
      }
      return decoded;
    } catch (OtapException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new OtapException(
          OtapException.Kind.INVALID,
          "table is no Arrow IPC stream: bytes=" + messages.size() + ", reason=" + e,
          e);
    } finally {
      stream.close();
      zstd.close();
    }
  }

  /// Made when a buffer is compressed.
  private static final class Zstd {
    private @Nullable ZstdDecompressCtx context;

    ZstdDecompressCtx context() {
      if (context == null) {
        context = new ZstdDecompressCtx();
      }
      return context;
    }

    void close() {
      if (context != null) {
        context.close();
      }
    }
  }

  private static final class TextInterner implements Dictionary.Interner {
    private final Utf8Table table = new Utf8Table();
    private final Map<Integer, String> strings = new LinkedHashMap<>();

    String string(int id) {
      return strings.computeIfAbsent(id, table::string);
    }

    @Override
    public long batch() {
      return 1;
    }

    @Override
    public int text(byte[] source, int offset, int length) {
      return table.intern(source, offset, length);
    }

    @Override
    public int container(byte[] source, int offset, int length) {
      throw OtapException.invalid("a column of texts holds maps or slices");
    }
  }
}
