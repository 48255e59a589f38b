package dev.regolith.kernels.guard;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Computes one check block a second time, by another code path and into other memory, and compares
 * bits. Any NaN equals any NaN: its payload depends on the form of the instruction.
 */
final class Twin {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final long STRIDE = 4L * Region.MAX_BLOCKS * CheckBlock.COLUMNS;
  private static final long BYTES = CheckBlock.ROWS * STRIDE;

  private static final EvidenceSink DEAF =
      new EvidenceSink() {
        @Override
        public void evidence(
            GemmProblem p, Region region, long row, int rows, Evidence evidence, int at) {}

        @Override
        public void suspect(GemmProblem p, Region region, Component component) {}

        @Override
        public void inputDiffers(GemmProblem p, Region region, long block) {}

        @Override
        public void panelDiffers(GemmProblem p, Region region, long panel, int kBlock) {}

        @Override
        public void recordDiffers(GemmProblem p, Region region, long block, int kBlock) {}
      };

  private final Backend backend;
  private final GemmProblem problem = new GemmProblem();
  private @Nullable Workspace workspace;
  private final MemorySegment second = Arena.ofAuto().allocate(BYTES, 64);
  private final MemorySegment remembered = Arena.ofAuto().allocate(BYTES, 64);

  Twin(Backend backend) {
    this.backend = backend;
  }

  /** Keeps the bits that C holds in a region. */
  void remember(GemmProblem p, Region region) {
    int columns = PackedBCheck.columns(region, p.b);
    for (int i = 0; i < region.rows; i++) {
      MemorySegment.copy(p.c, at(p, region, i), remembered, i * STRIDE, 4L * columns);
    }
  }

  /** Whether C holds the remembered bits. */
  boolean equalsRemembered(GemmProblem p, Region region) {
    return same(p, region, remembered);
  }

  /** Whether the twin arrives at the bits that C holds. */
  boolean reproduces(GemmProblem p, Region region) {
    problem.copyFrom(p);
    problem.aStorage = null;
    problem.cResident = null;
    problem.verify = false;
    problem.cSeals = null;
    problem.c = second;
    problem.cStride = STRIDE;
    problem.cBatchStride = 0;
    problem.cOffset = -region.row * STRIDE - 4 * region.block * CheckBlock.COLUMNS;
    if (workspace == null) {
      workspace = backend.newWorkspace();
    }
    backend.run(problem, region, workspace, DEAF);
    return same(p, region, second);
  }

  private static boolean same(GemmProblem p, Region region, MemorySegment other) {
    PackedB b = p.b;
    int columns = PackedBCheck.columns(region, b);
    for (int i = 0; i < region.rows; i++) {
      long row = at(p, region, i);
      for (int j = 0; j < columns; j++) {
        float x = p.c.get(FLOAT, row + 4L * j);
        float y = other.get(FLOAT, i * STRIDE + 4L * j);
        // floatToIntBits, not Raw: one pattern for all NaN
        if (Float.floatToIntBits(x) != Float.floatToIntBits(y)) {
          return false;
        }
      }
    }
    return true;
  }

  private static long at(GemmProblem p, Region region, int row) {
    return p.cRow(region.matrix, region.row + row) + 4 * region.block * CheckBlock.COLUMNS;
  }
}
