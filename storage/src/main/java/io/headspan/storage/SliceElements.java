package io.headspan.storage;

import io.headspan.wire.AttributeType;
import io.headspan.wire.CborReader;
import io.headspan.wire.Utf8Table;
import io.headspan.wire.WireException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// The scalars directly within slices, as text. What lies deeper, and bytes and nulls, are left to
/// the CBOR.
final class SliceElements {
  private record Element(int key, byte type, byte[] value) {}

  private final CborReader cbor = new CborReader();
  private final List<Element> elements = new ArrayList<>();

  int size() {
    return elements.size();
  }

  /// Table id of the key of the slice.
  int key(int index) {
    return elements.get(index).key();
  }

  /// One of [AttributeType].
  byte type(int index) {
    return elements.get(index).type();
  }

  byte[] value(int index) {
    return elements.get(index).value();
  }

  /// Adds the elements of a slice; none if it is not CBOR, which a sender's bytes may not be.
  ///
  /// @param key table id of its key
  /// @param slice table id of its CBOR
  void addAll(int key, Utf8Table table, int slice) {
    int before = elements.size();
    try {
      cbor.reset(table, slice);
      int depth = 0;
      for (CborReader.Token token = cbor.next(); ; token = cbor.next()) {
        switch (token) {
          case ARRAY_BEGIN, MAP_BEGIN -> depth++;
          case END -> depth--;
          case TEXT -> add(depth, key, AttributeType.STRING, cbor.text());
          case INT -> add(depth, key, AttributeType.INT, Long.toString(cbor.integer()));
          case DOUBLE -> add(depth, key, AttributeType.DOUBLE, Double.toString(cbor.real()));
          case BOOL -> add(depth, key, AttributeType.BOOL, Boolean.toString(cbor.bool()));
          case BYTES, NULL -> {}
          case DONE -> {
            return;
          }
        }
      }
    } catch (WireException e) {
      elements.subList(before, elements.size()).clear();
    }
  }

  private void add(int depth, int key, byte type, String text) {
    if (depth == 1) {
      elements.add(new Element(key, type, text.getBytes(StandardCharsets.UTF_8)));
    }
  }
}
