package dev.regolith.kernels.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.regolith.kernels.backend.scalar.ScalarGemm;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The exact tolerance, beside plain loops over the elements of A and B. */
@Tag("once")
class PathSquaresTest {
  private static final int ROWS = 3;
  private static final int SHOWN_LANES = 16;
  private static final int VECTOR_LANES = 4;

  private final SplittableRandom random = new SplittableRandom(1);
  private final ScalarGemm backend = new ScalarGemm();
  private final Evidence room = new Evidence();

  @Test
  void everyRowAndCheckOfOneRegionAfterTheOther() {
    try (var arena = Arena.ofConfined()) {
      for (int depth : new int[] {1, 31, 64, 513, 1300}) {
        for (int columns : new int[] {1, 128, 300}) {
          compare(arena, depth, columns);
        }
      }
    }
  }

  private void compare(Arena arena, int depth, int columns) {
    var p = new GemmProblem();
    p.rows = ROWS;
    p.depth = depth;
    p.columns = columns;
    p.alpha = 1.5f;
    p.a = random(arena, ROWS * depth);
    p.aStride = 4L * depth;
    p.b = new PackedB(backend.panelColumns());
    p.b.allocate(arena, depth, columns);
    MemorySegment source = random(arena, depth * columns);
    try (var workspace = backend.newWorkspace()) {
      for (int kBlock = 0; kBlock < p.b.kBlocks(); kBlock++) {
        for (long block = 0; block < p.b.blocks(); block++) {
          var range = new Range(0, 1, depth, columns, 0, columns, 1);
          backend.pack(source, range, 0, p.b, block, kBlock, true, workspace);
        }
      }
    }
    room.lanes(0, 1, 1, 1, SHOWN_LANES, VECTOR_LANES);
    room.open(ROWS, (int) p.b.blocks(), depth);
    for (int check = 0; check < room.checks(); check++) {
      for (int row = 0; row < ROWS; row++) {
        long block = room.firstBlock(check);
        int blocks = room.blocksOf(check);
        double expected = expected(p, source, row, block, blocks);
        assertThat(PathSquares.tolerance(p, 0, row, block, blocks, room))
            .as("%d x %d, check %d of row %d", depth, columns, check, row)
            .isCloseTo(expected, within(1e-12 * expected));
      }
    }
  }

  private double expected(GemmProblem p, MemorySegment b, int row, long first, int blocks) {
    double squares = 0;
    int columns = 0;
    for (long block = first; block < first + blocks; block++) {
      int from = (int) block * CheckBlock.COLUMNS;
      int here = (int) Math.min(CheckBlock.COLUMNS, p.columns - from);
      columns += here;
      // Zeros that fill a panel up are added like others.
      int padded = Math.ceilDiv(here, p.b.panelColumns()) * p.b.panelColumns();
      var shown = new double[SHOWN_LANES];
      for (int j = 0; j < padded; j++) {
        double sum = 0;
        for (int k = 0; k < p.depth; k++) {
          sum += (double) a(p, row, k) * b(p, b, k, from + j);
          squares += sum * sum;
        }
        shown[j % SHOWN_LANES] += Signs.of(block, j) * sum;
        squares += Math.pow(shown[j % SHOWN_LANES], 2);
      }
      for (double lane : shown) {
        squares += (2 + 4 + 5) * lane * lane;
      }
      for (int k = 0; k < p.depth; k++) {
        var lanes = new double[VECTOR_LANES];
        for (int j = 0; j < padded; j++) {
          int lane = j % p.b.panelColumns() % VECTOR_LANES;
          lanes[lane] += Signs.of(block, j) * b(p, b, k, from + j);
          squares += Math.pow(a(p, row, k) * lanes[lane], 2);
        }
      }
    }
    return Tolerance.of(p.alpha, 0, p.depth, columns, squares, 0);
  }

  private static float a(GemmProblem p, int row, int k) {
    return p.a.getAtIndex(ValueLayout.JAVA_FLOAT, row * p.depth + k);
  }

  private static float b(GemmProblem p, MemorySegment b, int k, int column) {
    return column < p.columns ? b.getAtIndex(ValueLayout.JAVA_FLOAT, k * p.columns + column) : 0;
  }

  private MemorySegment random(Arena arena, int floats) {
    MemorySegment memory = arena.allocate(4L * floats, 64);
    for (int i = 0; i < floats; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-1, 2));
    }
    return memory;
  }
}
