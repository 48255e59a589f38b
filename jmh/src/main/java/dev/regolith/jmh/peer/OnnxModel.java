package dev.regolith.jmh.peer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Writes an ONNX model of one node, in the encoding of protocol buffers: fields with a number and a
 * length or a variable-length integer (the numbers are those of {@code onnx.proto}).
 */
final class OnnxModel {
  static final int FLOAT32 = 1;
  static final int INT32 = 6;

  private static final int IR_VERSION = 10;
  private static final int INTEGER_ATTRIBUTE = 2;

  /**
   * A tensor that goes in or comes out.
   *
   * @param name empty for an optional one that is left out
   * @param type of its elements
   * @param sizes of its dimensions
   */
  record Value(String name, int type, List<Integer> sizes) {
    /** Numbers of single precision. */
    static Value floats(String name, Integer... sizes) {
      return new Value(name, FLOAT32, List.of(sizes));
    }

    /** An optional tensor that is left out. */
    static Value none() {
      return new Value("", FLOAT32, List.of());
    }
  }

  /**
   * An attribute of the node.
   *
   * @param name its name
   * @param value its value
   */
  record Attribute(String name, long value) {}

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  private OnnxModel() {}

  /**
   * The bytes of a model.
   *
   * @param operator of the node
   * @param domain that the operator belongs to; empty is ONNX itself
   * @param version of the domain's operators
   */
  static byte[] of(
      String operator,
      String domain,
      int version,
      List<Attribute> attributes,
      List<Value> inputs,
      List<Value> outputs) {
    var node = new OnnxModel();
    inputs.forEach(value -> node.text(1, value.name()));
    outputs.forEach(value -> node.text(2, value.name()));
    node.text(4, operator);
    for (Attribute attribute : attributes) {
      node.message(
          5,
          new OnnxModel()
              .text(1, attribute.name())
              .number(3, attribute.value())
              .number(20, INTEGER_ATTRIBUTE));
    }
    node.text(7, domain);
    var graph = new OnnxModel().message(1, node).text(2, "attention");
    present(inputs).forEach(value -> graph.message(11, described(value)));
    present(outputs).forEach(value -> graph.message(12, described(value)));
    return new OnnxModel()
        .number(1, IR_VERSION)
        .message(7, graph)
        .message(8, new OnnxModel().text(1, domain).number(2, version))
        .bytes
        .toByteArray();
  }

  /** Those that are not left out. */
  static List<Value> present(List<Value> values) {
    return values.stream().filter(value -> !value.name().isEmpty()).toList();
  }

  private static OnnxModel described(Value value) {
    var sizes = new OnnxModel();
    value.sizes().forEach(size -> sizes.message(1, new OnnxModel().number(1, size)));
    var tensor = new OnnxModel().number(1, value.type()).message(2, sizes);
    return new OnnxModel().text(1, value.name()).message(2, new OnnxModel().message(1, tensor));
  }

  private OnnxModel number(int field, long value) {
    varint((long) field << 3);
    varint(value);
    return this;
  }

  private OnnxModel text(int field, String value) {
    return chunk(field, value.getBytes(StandardCharsets.UTF_8));
  }

  private OnnxModel message(int field, OnnxModel value) {
    return chunk(field, value.bytes.toByteArray());
  }

  private OnnxModel chunk(int field, byte[] content) {
    varint((long) field << 3 | 2);
    varint(content.length);
    bytes.writeBytes(content);
    return this;
  }

  /** Seven bits a byte, the lowest first; the eighth says that more follow. */
  private void varint(long value) {
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      bytes.write((int) ((rest & 0x7F) | 0x80));
      rest >>>= 7;
    }
    bytes.write((int) rest);
  }
}
