package dev.regolith.kernels.backend.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The arguments of a kernel, in order and in native memory; for one thread. */
public final class Arguments implements Parts.Part {
  private static final int MOST = 48;

  private final Arena arena = Arena.ofShared();
  private final MemorySegment values = arena.allocate(ValueLayout.JAVA_LONG, MOST);
  private final MemorySegment addresses = arena.allocate(ValueLayout.ADDRESS, MOST);
  private final long[] bytes = new long[MOST];
  private int count;

  Arguments() {
    for (int i = 0; i < MOST; i++) {
      addresses.setAtIndex(ValueLayout.ADDRESS, i, value(i));
    }
  }

  void clear() {
    count = 0;
  }

  void add(long number) {
    values.setAtIndex(ValueLayout.JAVA_LONG, count, number);
    bytes[count++] = Long.BYTES;
  }

  void add(float number) {
    values.set(ValueLayout.JAVA_FLOAT, 8L * count, number);
    bytes[count++] = Float.BYTES;
  }

  /** How many there are. */
  public int count() {
    return count;
  }

  /** Where an argument is. */
  public MemorySegment value(int index) {
    return values.asSlice(8L * index, 8);
  }

  /** How long it is. */
  public long bytes(int index) {
    return bytes[index];
  }

  /** The addresses of all. */
  public MemorySegment addresses() {
    return addresses;
  }

  @Override
  public void close() {
    arena.close();
  }
}
