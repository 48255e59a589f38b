package dev.regolith.kernels.checksum;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.checksum.Seal.Syndrome;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Putting one word back, also when several threads found it damaged. */
@Tag("once")
class RepairTest {
  private static final int ORIGINAL = 0x3F80_0000;
  private static final int FLIPPED = 1 << 22;

  private final MemorySegment memory = MemorySegment.ofArray(new float[40 * 200]);
  private final SealGrid grid = new SealGrid(new Range(0, 1, 40, 200, 0, 200, 1));

  private Syndrome damage(int block, long word) {
    memory.setAtIndex(ValueLayout.JAVA_INT, word, ORIGINAL);
    grid.sealAll(memory);
    memory.setAtIndex(ValueLayout.JAVA_INT, word, ORIGINAL ^ FLIPPED);
    var found = new long[Seal.SUMS];
    grid.scan(memory, block, found, 0);
    return grid.diagnose(block, found, 0);
  }

  @Test
  void everyWordOfEveryBlock() {
    for (int block = 0; block < grid.blocks(); block++) {
      for (int i = 0; i < grid.rows(block); i++) {
        for (int j = 0; j < grid.columns(block); j += 7) {
          long word = (grid.row(block) + i) * 200 + grid.column(block) + j;
          var syndrome = (Syndrome.Word) damage(block, word);
          assertThat(grid.word(block, syndrome.index())).isEqualTo(word);
          assertThat(grid.repair(memory, block, syndrome)).isEqualTo(FLIPPED);
          assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, word)).isEqualTo(ORIGINAL);
        }
      }
    }
  }

  /** Both scanned the damaged word before one of them put it back. */
  @Test
  void twoFindersRepairOnce() {
    var syndrome = (Syndrome.Word) damage(0, 5);
    assertThat(grid.repair(memory, 0, syndrome)).isEqualTo(FLIPPED);
    assertThat(grid.repair(memory, 0, syndrome)).isZero();
    assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, 5)).isEqualTo(ORIGINAL);
  }

  @Test
  void readOnlyMemoryIsLeft() {
    var syndrome = (Syndrome.Word) damage(0, 5);
    assertThat(grid.repair(memory.asReadOnly(), 0, syndrome)).isZero();
    assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, 5)).isEqualTo(ORIGINAL ^ FLIPPED);
  }
}
