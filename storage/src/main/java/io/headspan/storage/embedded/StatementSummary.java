package io.headspan.storage.embedded;

/// The counters of one statement, as ClickHouse gives them in `X-ClickHouse-Summary`.
final class StatementSummary {
  private final long startNs = System.nanoTime();
  private long readRows;
  private long readBytes;
  private long writtenRows;
  private long writtenBytes;
  private long resultRows;
  private long resultBytes;

  void add(
      long readRows,
      long readBytes,
      long writtenRows,
      long writtenBytes,
      long resultRows,
      long resultBytes) {
    this.readRows += readRows;
    this.readBytes += readBytes;
    this.writtenRows += writtenRows;
    this.writtenBytes += writtenBytes;
    this.resultRows += resultRows;
    this.resultBytes += resultBytes;
  }

  /// The header's value: numbers as JSON strings.
  String toJson() {
    return """
    {"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d",\
    "total_rows_to_read":"0","result_rows":"%d","result_bytes":"%d","elapsed_ns":"%d"}\
    """
        .formatted(
            readRows,
            readBytes,
            writtenRows,
            writtenBytes,
            resultRows,
            resultBytes,
            System.nanoTime() - startNs);
  }
}
