package dev.regolith.kernels.checksum;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.checksum.Seal.Syndrome;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.memory.Repairs;
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
          assertThat(grid.mend(memory, block)).isEqualTo(new Mended(syndrome, FLIPPED, true));
          assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, word)).isEqualTo(ORIGINAL);
        }
      }
    }
  }

  /** Both scanned the damaged word before one of them put it back. */
  @Test
  void twoFindersRepairOnce() {
    var syndrome = (Syndrome.Word) damage(0, 5);
    assertThat(grid.mend(memory, 0)).isEqualTo(new Mended(syndrome, FLIPPED, true));
    assertThat(grid.mend(memory, 0)).isEqualTo(new Mended(new Syndrome.Intact(), 0, true));
    assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, 5)).isEqualTo(ORIGINAL);
  }

  @Test
  void readOnlyMemoryIsLeft() {
    var syndrome = (Syndrome.Word) damage(0, 5);
    assertThat(grid.mend(memory.asReadOnly(), 0)).isEqualTo(new Mended(syndrome, FLIPPED, false));
    assertThat(memory.getAtIndex(ValueLayout.JAVA_INT, 5)).isEqualTo(ORIGINAL ^ FLIPPED);
  }

  @Test
  void readersFindOutThatSomebodyRepaired() {
    long mark = Repairs.OF_TENSORS.mark();
    assertThat(Repairs.OF_TENSORS.noneSince(mark)).isTrue();
    damage(0, 5);
    grid.mend(memory, 0);
    assertThat(Repairs.OF_TENSORS.noneSince(mark)).isFalse();
  }
}
