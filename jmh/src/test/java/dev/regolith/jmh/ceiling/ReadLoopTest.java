package dev.regolith.jmh.ceiling;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class ReadLoopTest {
  /** Every float of a range is read once, and none around it: numbers below 2^24 add up exactly. */
  @Test
  void everyWordIsReadOnce() {
    long block = ReadLoop.blockBytes();
    try (var arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(9 * block, 64);
      for (long i = 0; i < memory.byteSize() / 4; i++) {
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, i % 61);
      }
      for (long from = 0; from < 4; from++) {
        for (long to = from; to <= 9; to++) {
          float expected = 0;
          for (long i = from * block / 4; i < to * block / 4; i++) {
            expected += i % 61;
          }
          assertThat(ReadLoop.sum(memory, from * block, to * block)).isEqualTo(expected);
        }
      }
    }
  }
}
