package io.headspan.wire.config;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.CollectionEndEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;
import org.snakeyaml.engine.v2.schema.CoreSchema;

/// Reads YAML 1.2 into [ConfigNode]s. Anchors may be used, but not to build something that has no
/// end or is larger than anybody writes.
final class YamlText {
  private static final int DEPTH_MAX = 16;
  private static final int NODES_MAX = 50_000;

  private final String origin;
  private final List<String> problems;
  private int nodes;

  private YamlText(String origin, List<String> problems) {
    this.origin = origin;
    this.problems = problems;
  }

  /// Reads a document; null if it is empty or cannot be read.
  ///
  /// @param origin what problems are said to be in
  /// @param problems takes what is wrong
  static @Nullable ConfigNode read(String text, String origin, List<String> problems) {
    return new YamlText(origin, problems).read(text);
  }

  private @Nullable ConfigNode read(String text) {
    try {
      // Keys that are no scalars are refused below, with their lines.
      LoadSettings settings =
          LoadSettings.builder()
              .setLabel(origin)
              .setSchema(new CoreSchema())
              .setAllowNonScalarKeys(true)
              .build();
      checkDepth(new Parse(settings).parseString(text));
      // One document only: a second one, never read, would look as if it were obeyed.
      Node root = new Compose(settings).composeString(text).orElse(null);
      return root == null ? null : convert(root, lineOf(root), 0);
    } catch (TooLargeException e) {
      problems.add(
          "too large or endless: at=%s:%d, depth at most %d, values at most %d"
              .formatted(origin, e.line, DEPTH_MAX, NODES_MAX));
    } catch (MarkedYamlEngineException e) {
      int line = e.getProblemMark().map(mark -> mark.getLine() + 1).orElse(1);
      problems.add("not YAML: " + e.getProblem() + ", at=" + origin + ":" + line);
    } catch (YamlEngineException e) {
      problems.add("not YAML: " + e.getMessage() + ", at=" + origin);
    }
    return null;
  }

  /// Nodes are composed by recursion, events are not.
  private static void checkDepth(Iterable<Event> events) {
    int depth = 0;
    for (Event event : events) {
      switch (event) {
        case CollectionStartEvent _ -> depth++;
        case CollectionEndEvent _ -> depth--;
        default -> {}
      }
      if (depth > DEPTH_MAX) {
        throw new TooLargeException(event.getStartMark().map(mark -> mark.getLine() + 1).orElse(1));
      }
    }
  }

  private ConfigNode convert(Node node, int line, int depth) {
    if (depth > DEPTH_MAX || ++nodes > NODES_MAX) {
      throw new TooLargeException(line);
    }
    return switch (node) {
      case ScalarNode scalar ->
          new ConfigNode.Scalar(Tag.NULL.equals(scalar.getTag()) ? "" : scalar.getValue(), line);
      case SequenceNode sequence -> {
        List<ConfigNode> items = new ArrayList<>();
        for (Node item : sequence.getValue()) {
          items.add(convert(item, lineOf(item), depth + 1));
        }
        yield new ConfigNode.Sequence(items, line);
      }
      case MappingNode mapping -> {
        Map<String, ConfigNode> members = new LinkedHashMap<>();
        for (NodeTuple tuple : mapping.getValue()) {
          int keyLine = lineOf(tuple.getKeyNode());
          if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
            problems.add("a key is no text: at=" + origin + ":" + keyLine);
          } else if (members.containsKey(key.getValue())) {
            problems.add("key given twice: " + key.getValue() + ", at=" + origin + ":" + keyLine);
          } else {
            members.put(key.getValue(), convert(tuple.getValueNode(), keyLine, depth + 1));
          }
        }
        yield new ConfigNode.Mapping(members, line);
      }
      default ->
          throw new IllegalStateException("unknown kind of YAML node: " + node.getNodeType());
    };
  }

  private static int lineOf(Node node) {
    return node.getStartMark().map(mark -> mark.getLine() + 1).orElse(1);
  }

  private static final class TooLargeException extends RuntimeException {
    private static final long serialVersionUID = 1;

    final int line;

    TooLargeException(int line) {
      this.line = line;
    }
  }
}
