package io.headspan.query.traceql;

import io.headspan.storage.Row;
import io.headspan.storage.RowReader;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/// Reads the rows of [SearchPlan#details]: trace id, names and tagged values of the set's
/// attributes, number of matches, then of the spans shown: id, start, duration, name, and an array
/// of tagged values per shown field.
public final class SpansetReader implements RowReader<Spanset> {
  private static final int FIRST_FIELD = 8;

  private final List<String> names;

  SpansetReader(List<String> names) {
    this.names = names;
  }

  @Override
  public Spanset read(Row row) {
    long[] ids = row.integers(4);
    long[] starts = row.integers(5);
    long[] durations = row.integers(6);
    List<String> spanNames = row.texts(7);
    List<List<String>> values = new ArrayList<>();
    for (int field = 0; field < names.size(); field++) {
      values.add(row.texts(FIRST_FIELD + field));
    }
    List<Spanset.Span> spans = new ArrayList<>();
    for (int i = 0; i < ids.length; i++) {
      int span = i;
      spans.add(
          new Spanset.Span(
              ids[i],
              spanNames.get(i),
              starts[i],
              durations[i],
              fields(names, field -> values.get(field).get(span))));
    }
    return new Spanset(row.text(0), row.integer(3), attributes(row, 1, 2), spans);
  }

  /// Attributes of which one column has the names and another one the tagged values.
  static List<Spanset.Attribute> attributes(Row row, int names, int values) {
    List<String> setNames = row.texts(names);
    List<String> setValues = row.texts(values);
    List<Spanset.Attribute> attributes = new ArrayList<>();
    for (int i = 0; i < setNames.size(); i++) {
      attributes.add(new Spanset.Attribute(setNames.get(i), TaggedValue.read(setValues.get(i))));
    }
    return attributes;
  }

  /// Those of the fields `names` that a span has, by their tagged values.
  static List<Spanset.Attribute> fields(List<String> names, IntFunction<String> tagged) {
    List<Spanset.Attribute> fields = new ArrayList<>();
    for (int field = 0; field < names.size(); field++) {
      ResultValue value = TaggedValue.read(tagged.apply(field));
      if (!(value instanceof ResultValue.Nothing)) {
        fields.add(new Spanset.Attribute(names.get(field), value));
      }
    }
    return fields;
  }
}
