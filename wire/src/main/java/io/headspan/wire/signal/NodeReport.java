package io.headspan.wire.signal;

import com.google.protobuf.ByteString;
import io.headspan.wire.otap.ColumnTable;
import io.headspan.wire.otap.OtapException;
import io.headspan.wire.signal.v1.SignalKind;
import io.headspan.wire.signal.v1.SignalReport;
import java.util.ArrayList;
import java.util.List;

/// One message of an agent about its node. Agent, boot and sequence name it.
///
/// @param agentId the agent, over restarts
/// @param bootId this start of it
/// @param sequence number within that start
/// @param hostName the node
/// @param timeNs end of the time it is about, ns since the Unix epoch
/// @param intervalNs length of that time; 0 for a moment
public record NodeReport(
    String agentId,
    String bootId,
    long sequence,
    String hostName,
    long timeNs,
    long intervalNs,
    NodeSignal signal) {
  private static final List<String> LEDGER_TEXTS = List.of("tenant", "state", "reason");
  private static final List<String> LEDGER_NUMBERS = List.of("spans");
  private static final List<String> INTERFERENCE_TEXTS = List.of("victim", "culprit");
  private static final List<String> INTERFERENCE_NUMBERS = List.of("wait_ns", "waits");
  private static final List<String> PRESSURE_TEXTS = List.of("resource");
  private static final List<String> PRESSURE_NUMBERS = List.of("some_ns", "full_ns");

  /// The same report with other content.
  public NodeReport withSignal(NodeSignal other) {
    return new NodeReport(agentId, bootId, sequence, hostName, timeNs, intervalNs, other);
  }

  /// The message as it is sent.
  public SignalReport encode() {
    return SignalReport.newBuilder()
        .setAgentId(agentId)
        .setBootId(bootId)
        .setSequence(sequence)
        .setHostName(hostName)
        .setTimeUnixNano(timeNs)
        .setIntervalNano(intervalNs)
        .setKind(
            switch (signal) {
              case NodeSignal.Ledger _ -> SignalKind.LEDGER;
              case NodeSignal.Interference _ -> SignalKind.INTERFERENCE;
              case NodeSignal.Pressure _ -> SignalKind.PRESSURE;
            })
        .setRecord(record(signal))
        .build();
  }

  private static ByteString record(NodeSignal signal) {
    ColumnTable table =
        switch (signal) {
          case NodeSignal.Ledger(List<NodeSignal.Ledger.Entry> entries) -> {
            ColumnTable made = ColumnTable.of(entries.size(), LEDGER_TEXTS, LEDGER_NUMBERS);
            for (int row = 0; row < entries.size(); row++) {
              NodeSignal.Ledger.Entry entry = entries.get(row);
              made.texts("tenant")[row] = entry.tenant();
              made.texts("state")[row] = entry.state();
              made.texts("reason")[row] = entry.reason();
              made.numbers("spans")[row] = entry.spans();
            }
            yield made;
          }
          case NodeSignal.Interference(List<NodeSignal.Interference.Cell> cells) -> {
            ColumnTable made =
                ColumnTable.of(cells.size(), INTERFERENCE_TEXTS, INTERFERENCE_NUMBERS);
            for (int row = 0; row < cells.size(); row++) {
              NodeSignal.Interference.Cell cell = cells.get(row);
              made.texts("victim")[row] = cell.victim();
              made.texts("culprit")[row] = cell.culprit();
              made.numbers("wait_ns")[row] = cell.waitNs();
              made.numbers("waits")[row] = cell.waits();
            }
            yield made;
          }
          case NodeSignal.Pressure(List<NodeSignal.Pressure.Stall> stalls) -> {
            ColumnTable made = ColumnTable.of(stalls.size(), PRESSURE_TEXTS, PRESSURE_NUMBERS);
            for (int row = 0; row < stalls.size(); row++) {
              NodeSignal.Pressure.Stall stall = stalls.get(row);
              made.texts("resource")[row] = stall.resource();
              made.numbers("some_ns")[row] = stall.someNs();
              made.numbers("full_ns")[row] = stall.fullNs();
            }
            yield made;
          }
        };
    return table.encode();
  }

  /// Reads a message.
  ///
  /// @param limitBytes memory it may take
  /// @throws OtapException of kind UNSUPPORTED if it is of no known kind, INVALID if its table is
  ///   not of its kind, LIMIT if that is too large
  public static NodeReport decode(SignalReport message, long limitBytes) {
    ByteString bytes = message.getRecord();
    NodeSignal signal =
        switch (message.getKind()) {
          case LEDGER ->
              ledger(ColumnTable.decode(bytes, LEDGER_TEXTS, LEDGER_NUMBERS, limitBytes));
          case INTERFERENCE ->
              interference(
                  ColumnTable.decode(bytes, INTERFERENCE_TEXTS, INTERFERENCE_NUMBERS, limitBytes));
          case PRESSURE ->
              pressure(ColumnTable.decode(bytes, PRESSURE_TEXTS, PRESSURE_NUMBERS, limitBytes));
          case SIGNAL_KIND_UNSPECIFIED, UNRECOGNIZED ->
              throw new OtapException(
                  OtapException.Kind.UNSUPPORTED,
                  "unknown kind of node signal: kind=" + message.getKindValue());
        };
    return new NodeReport(
        message.getAgentId(),
        message.getBootId(),
        message.getSequence(),
        message.getHostName(),
        message.getTimeUnixNano(),
        message.getIntervalNano(),
        signal);
  }

  private static NodeSignal ledger(ColumnTable table) {
    List<NodeSignal.Ledger.Entry> entries = new ArrayList<>(table.rows());
    for (int row = 0; row < table.rows(); row++) {
      entries.add(
          new NodeSignal.Ledger.Entry(
              table.texts("tenant")[row],
              table.texts("state")[row],
              table.texts("reason")[row],
              table.numbers("spans")[row]));
    }
    return new NodeSignal.Ledger(entries);
  }

  private static NodeSignal interference(ColumnTable table) {
    List<NodeSignal.Interference.Cell> cells = new ArrayList<>(table.rows());
    for (int row = 0; row < table.rows(); row++) {
      cells.add(
          new NodeSignal.Interference.Cell(
              table.texts("victim")[row],
              table.texts("culprit")[row],
              table.numbers("wait_ns")[row],
              table.numbers("waits")[row]));
    }
    return new NodeSignal.Interference(cells);
  }

  private static NodeSignal pressure(ColumnTable table) {
    List<NodeSignal.Pressure.Stall> stalls = new ArrayList<>(table.rows());
    for (int row = 0; row < table.rows(); row++) {
      stalls.add(
          new NodeSignal.Pressure.Stall(
              table.texts("resource")[row],
              table.numbers("some_ns")[row],
              table.numbers("full_ns")[row]));
    }
    return new NodeSignal.Pressure(stalls);
  }
}
