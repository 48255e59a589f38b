package dev.regolith.jmh.ceiling;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class ReadLoopTest {
  private static final int BLOCKS = 9;

  /** Every float of a range is read once, and none around it: numbers below 2^24 add up exactly. */
  @Test
  void everyWordIsReadOnce() {
    long block = ReadLoop.blockBytes();
    try (var arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(BLOCKS * block, 64);
      for (long at = 0; at < memory.byteSize(); at += 4) {
        memory.set(ValueLayout.JAVA_FLOAT, at, number(at));
      }
      for (long from = 0; from < memory.byteSize(); from += block) {
        for (long to = from; to <= memory.byteSize(); to += block) {
          long expected = 0;
          for (long at = from; at < to; at += 4) {
            expected += number(at);
          }
          assertThat(ReadLoop.sum(memory, from, to)).isEqualTo((float) expected);
        }
      }
    }
  }

  private static int number(long at) {
    return (int) (at / 4 % 61);
  }
}
