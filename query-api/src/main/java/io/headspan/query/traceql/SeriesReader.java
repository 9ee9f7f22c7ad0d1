package io.headspan.query.traceql;

import io.headspan.storage.Row;
import io.headspan.storage.RowReader;
import java.util.ArrayList;
import java.util.List;

/// Reads the rows of [MetricsPlan#series]: names and tagged values of the labels, the values, then
/// of the exemplars trace ids, times and values.
public final class SeriesReader implements RowReader<Series> {
  SeriesReader() {}

  @Override
  public Series read(Row row) {
    List<String> names = row.texts(0);
    List<String> tags = row.texts(1);
    List<Spanset.Attribute> labels = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      labels.add(new Spanset.Attribute(names.get(i), TaggedValue.read(tags.get(i))));
    }
    List<String> traceIds = row.texts(3);
    long[] times = row.integers(4);
    double[] values = row.numbers(5);
    List<Series.Exemplar> exemplars = new ArrayList<>();
    for (int i = 0; i < times.length; i++) {
      exemplars.add(new Series.Exemplar(traceIds.get(i), times[i], values[i]));
    }
    return new Series(labels, row.numbers(2), exemplars);
  }
}
