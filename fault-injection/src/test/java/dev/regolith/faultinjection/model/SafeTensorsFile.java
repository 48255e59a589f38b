package dev.regolith.faultinjection.model;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Safetensors files in memory, right and wrong ones. */
final class SafeTensorsFile {
  private SafeTensorsFile() {}

  /** A file with this header, whose data section holds 0, 1, 2, ... */
  static byte[] bytes(String header, int dataSize) {
    return bytes(header.getBytes(UTF_8), dataSize);
  }

  static byte[] bytes(byte[] header, int dataSize) {
    byte[] data = new byte[dataSize];
    for (int i = 0; i < dataSize; i++) {
      data[i] = (byte) i;
    }
    return withLength(header.length, header, data);
  }

  /** A file that claims another length of its header. */
  static byte[] withLength(long headerSize, byte[] header, byte[] data) {
    return ByteBuffer.allocate(Long.BYTES + header.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(headerSize)
        .put(header)
        .put(data)
        .array();
  }

  static SafeTensors parse(String header, int dataSize) {
    return parse(bytes(header, dataSize));
  }

  static SafeTensors parse(byte[] file) {
    return SafeTensors.of("test.safetensors", MemorySegment.ofArray(file));
  }
}
