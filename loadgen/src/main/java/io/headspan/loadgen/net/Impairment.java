package io.headspan.loadgen.net;

import java.util.List;

/// What a link does to packets, in the words of `tc-netem(8)`.
///
/// @param delayMillis on each way
/// @param jitterMillis how far delays scatter around `delayMillis`, evenly
/// @param reorderPercent share of the packets that are not delayed and so overtake others
public record Impairment(
    int delayMillis, int jitterMillis, int lossPercent, int duplicatePercent, int reorderPercent) {
  /// The arguments for netem.
  List<String> netem() {
    return List.of(
        "delay",
        delayMillis + "ms",
        jitterMillis + "ms",
        "loss",
        lossPercent + "%",
        "duplicate",
        duplicatePercent + "%",
        "reorder",
        reorderPercent + "%");
  }
}
