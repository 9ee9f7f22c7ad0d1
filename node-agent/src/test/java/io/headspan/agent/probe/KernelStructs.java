package io.headspan.agent.probe;

import static java.util.stream.Collectors.toMap;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.SequenceLayout;
import java.lang.foreign.StructLayout;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/// The structs and enums of events.h as clang laid them out, read from the BTF of layout.bpf.c.
public final class KernelStructs {
  private static final String RESOURCE = "/io/headspan/probes/layout.btf.json";

  private final Map<Integer, JsonNode> types = new TreeMap<>();

  private KernelStructs(JsonNode btf) {
    btf.get("types").forEach(type -> types.put(type.get("id").asInt(), type));
  }

  public static KernelStructs read() {
    try (InputStream stream = KernelStructs.class.getResourceAsStream(RESOURCE)) {
      assertThat(stream).as(RESOURCE).isNotNull();
      return new KernelStructs(new ObjectMapper().readTree(stream));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Names of all structs.
  public Set<String> names() {
    Set<String> names = new TreeSet<>();
    types.values().stream()
        .filter(type -> type.get("kind").asText().equals("STRUCT"))
        .forEach(type -> names.add(type.get("name").asText()));
    return names;
  }

  /// Name -> value of an enum's constants, in order.
  public Map<String, Integer> enumConstants(String name) {
    Map<String, Integer> constants = new LinkedHashMap<>();
    type("ENUM", name)
        .get("values")
        .forEach(value -> constants.put(value.get("name").asText(), value.get("val").asInt()));
    return constants;
  }

  /// Fails unless `layout` has the fields of the struct of its name, each with the same place and
  /// size, and neither has one that the other lacks.
  public void assertSame(StructLayout layout) {
    JsonNode struct = type("STRUCT", layout.name().orElseThrow());
    Map<String, Place> kernel = new LinkedHashMap<>();
    struct
        .get("members")
        .forEach(member ->
            kernel.put(
                member.get("name").asText(),
                new Place(
                    member.get("bits_offset").asLong() / Byte.SIZE,
                    sizeBytes(member.get("type_id").asInt()),
                    elementBytes(member.get("type_id").asInt()))));
    assertThat(fields(layout)).as(layout.name().orElseThrow()).isEqualTo(kernel);
    assertThat(layout.byteSize()).isEqualTo(struct.get("size").asLong());
  }

  private record Place(long offset, long sizeBytes, long elementBytes) {}

  private static Map<String, Place> fields(StructLayout layout) {
    return layout.memberLayouts().stream()
        .map(member -> member.name().orElseThrow())
        .collect(
            toMap(
                name -> name,
                name -> {
                  var path = MemoryLayout.PathElement.groupElement(name);
                  MemoryLayout member = layout.select(path);
                  long elementBytes =
                      member instanceof SequenceLayout sequence
                          ? sequence.elementLayout().byteSize()
                          : member.byteSize();
                  return new Place(layout.byteOffset(path), member.byteSize(), elementBytes);
                },
                (one, two) -> {
                  throw new AssertionError("two fields of one name: " + one + ", " + two);
                },
                LinkedHashMap::new));
  }

  private long sizeBytes(int id) {
    JsonNode type = type(id);
    return type.get("kind").asText().equals("ARRAY")
        ? type.get("nr_elems").asLong() * sizeBytes(type.get("type_id").asInt())
        : type.get("size").asLong();
  }

  private long elementBytes(int id) {
    JsonNode type = type(id);
    return type.get("kind").asText().equals("ARRAY")
        ? sizeBytes(type.get("type_id").asInt())
        : type.get("size").asLong();
  }

  private JsonNode type(int id) {
    JsonNode type = types.get(id);
    while (type != null && type.get("kind").asText().equals("TYPEDEF")) {
      type = types.get(type.get("type_id").asInt());
    }
    return Objects.requireNonNull(type, () -> "no such type in the BTF: " + id);
  }

  private JsonNode type(String kind, String name) {
    return types.values().stream()
        .filter(type ->
            type.get("kind").asText().equals(kind) && type.get("name").asText().equals(name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("not in events.h: " + kind + " " + name));
  }
}
