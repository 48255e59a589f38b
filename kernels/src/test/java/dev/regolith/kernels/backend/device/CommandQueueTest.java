package dev.regolith.kernels.backend.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Copies that are longer than what a driver takes at once, and rows that it does not end with. */
@Tag("device-only")
class CommandQueueTest {
  private static final long GUARD = 64;

  @ParameterizedTest
  @CsvSource({"1, 4, 4", "1, 5000012, 5000012", "37, 140012, 140012", "1021, 4012, 4096"})
  void thereAndBack(long rows, long rowBytes, long stride) {
    try (var context =
            new DeviceContext(TestDevice.api(), TestDevice.device(), ProgramCache.ofUser());
        var memory = context.newBuffer(rows * rowBytes);
        var queue = context.driver().newQueue();
        var arena = Arena.ofConfined()) {
      MemorySegment sent = arena.allocate(rows * stride, 64);
      var random = new SplittableRandom(rows);
      for (long i = 0; i < sent.byteSize() / 4; i++) {
        sent.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt());
      }
      MemorySegment got = arena.allocate(rows * stride + GUARD, 64).fill((byte) 7);
      long span = (rows - 1) * stride + rowBytes;
      if (stride == rowBytes) {
        queue.write(memory, 0, sent);
        queue.read(memory, 0, got.asSlice(0, span));
      } else {
        queue.writeRows(memory, sent.asSlice(0, span), rows, rowBytes, stride);
        queue.readRows(memory, got.asSlice(0, span), rows, rowBytes, stride);
      }
      for (long row = 0; row < rows; row++) {
        long at = row * stride;
        assertThat(MemorySegment.mismatch(sent, at, at + rowBytes, got, at, at + rowBytes))
            .as("row %d", row)
            .isEqualTo(-1);
        for (long i = at + rowBytes; i < at + stride; i++) {
          assertThat(got.get(ValueLayout.JAVA_BYTE, i)).isEqualTo((byte) 7);
        }
      }
      assertThat(got.asSlice(rows * stride).toArray(ValueLayout.JAVA_BYTE)).containsOnly(7);
    }
  }

  /** What one queue has finished writing, another finds, at any offset. */
  @ParameterizedTest
  @CsvSource({"0", "1200004"})
  void anotherQueue(long offset) {
    try (var context =
            new DeviceContext(TestDevice.api(), TestDevice.device(), ProgramCache.ofUser());
        var memory = context.newBuffer(3_000_000);
        var writer = context.driver().newQueue();
        var reader = context.driver().newQueue();
        var arena = Arena.ofConfined()) {
      MemorySegment sent = arena.allocate(1_500_000).fill((byte) 3);
      writer.write(memory, offset, sent);
      sent.fill((byte) 0); // it was read when the copy returned
      writer.finish();
      MemorySegment got = arena.allocate(1_500_000);
      reader.read(memory, offset, got);
      assertThat(MemorySegment.mismatch(got, 0, 1_500_000, sent.fill((byte) 3), 0, 1_500_000))
          .isEqualTo(-1);
    }
  }
}
