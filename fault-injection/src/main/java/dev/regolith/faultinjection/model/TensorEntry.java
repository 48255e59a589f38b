package dev.regolith.faultinjection.model;

import java.util.List;
import java.util.Set;

/**
 * What the header of a safetensors file says about one tensor, found consistent in itself and with
 * the size of the data section.
 *
 * @param name the tensor's name
 * @param type type of an element
 * @param shape extents, the slowest first; empty for a scalar
 * @param begin first byte in the data section
 * @param end byte after the last in the data section
 */
record TensorEntry(String name, StoredType type, List<Long> shape, long begin, long end) {
  private static final Set<String> FIELDS = Set.of("dtype", "shape", "data_offsets");

  /**
   * @param json the entry
   * @param dataSize size of the data section in bytes
   */
  static TensorEntry parse(String name, JsonObject json, long dataSize) {
    StoredType type = type(json);
    List<Long> shape = json.sizes("shape");
    List<Long> offsets = json.sizes("data_offsets");
    json.onlyHas(FIELDS);
    if (offsets.size() != 2 || offsets.getFirst() > offsets.getLast()) {
      throw json.refuse(
          "data_offsets",
          "[begin, end] with begin <= end",
          offsets.toString(),
          ModelFileException.WRITE_AGAIN);
    }
    if (offsets.getLast() > dataSize) {
      throw json.refuse(
          "data_offsets",
          "an end within the data section of " + dataSize + " bytes",
          offsets.toString(),
          ModelFileException.FETCH_AGAIN);
    }
    var entry = new TensorEntry(name, type, shape, offsets.getFirst(), offsets.getLast());
    long size = size(json, type, shape);
    if (size != entry.size()) {
      throw json.refuse(
          "data_offsets",
          "%d bytes for %s of shape %s".formatted(size, type, shape),
          "%d bytes, %s".formatted(entry.size(), offsets),
          ModelFileException.WRITE_AGAIN);
    }
    return entry;
  }

  long size() {
    return end - begin;
  }

  private static StoredType type(JsonObject json) {
    String name = json.text("dtype");
    return StoredType.named(name)
        .orElseThrow(() ->
            json.refuse(
                "dtype",
                "one of " + StoredType.names(),
                name,
                "convert the file to one of these types"));
  }

  /** Bytes that a tensor takes. */
  private static long size(JsonObject json, StoredType type, List<Long> shape) {
    long bits = type.bits();
    try {
      for (long extent : shape) {
        bits = Math.multiplyExact(bits, extent);
      }
    } catch (ArithmeticException overflow) {
      throw json.refuse(
          "shape",
          "a product of extents and element size below 2^63 bits",
          type + " of shape " + shape,
          ModelFileException.WRITE_AGAIN);
    }
    if (bits % Byte.SIZE != 0) {
      throw json.refuse(
          "shape", "a whole number of bytes", bits + " bits", ModelFileException.WRITE_AGAIN);
    }
    return bits / Byte.SIZE;
  }
}
