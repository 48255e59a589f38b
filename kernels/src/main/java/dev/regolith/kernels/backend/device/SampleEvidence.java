package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/**
 * A product whose evidence the host makes as well: several k-blocks, a check of fewer blocks than
 * others, rows and columns that fill no tile, an old C.
 */
final class SampleEvidence implements AutoCloseable {
  private static final int ROWS = 29;
  private static final int DEPTH = 1100;
  private static final int COLUMNS = 470;

  /** How far tolerances may be apart, which the host makes in shorter arithmetic. */
  private static final double SPREAD = 1.02;

  private final Arena arena = Arena.ofShared();
  private final GemmProblem problem = new GemmProblem();
  private final Backend host;

  SampleEvidence(Backend host, Workspace workspace) {
    this.host = host;
    var random = new SplittableRandom(1);
    var p = problem;
    p.batch = 1;
    p.rows = ROWS;
    p.columns = COLUMNS;
    p.depth = DEPTH;
    p.alpha = -1.5f;
    p.beta = 0.5f;
    p.verify = true;
    p.a = random(random, ROWS * DEPTH);
    p.aStride = 4L * DEPTH;
    p.oldC = random(random, ROWS * COLUMNS);
    p.oldCStride = 4L * COLUMNS;
    p.c = random(random, ROWS * COLUMNS);
    p.cStride = 4L * COLUMNS;
    p.b = new PackedB(host.panelColumns());
    p.b.allocate(arena, DEPTH, COLUMNS);
    p.b.checkable(true);
    var range = new Range(0, 1, DEPTH, COLUMNS, 0, COLUMNS, 1);
    MemorySegment source = random(random, DEPTH * COLUMNS);
    for (long block = 0; block < p.b.blocks(); block++) {
      for (int kBlock = 0; kBlock < p.b.kBlocks(); kBlock++) {
        host.pack(source, range, 0, p.b, block, kBlock, true, workspace);
      }
    }
  }

  private MemorySegment random(SplittableRandom random, int floats) {
    MemorySegment memory = arena.allocate(4L * floats, 64);
    for (int i = 0; i < floats; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, 1 + (float) random.nextGaussian());
    }
    return memory;
  }

  /** Remembers evidence, and whatever else is noticed. */
  private static final class Kept implements EvidenceSink {
    final double[] predicted = new double[ROWS * COLUMNS];
    final double[] shown = new double[ROWS * COLUMNS];
    final double[] tolerance = new double[ROWS * COLUMNS];
    int count;
    boolean suspicious;

    @Override
    public void evidence(
        GemmProblem p, Region region, long row, int rows, Evidence evidence, int evidenceRow) {
      int from = evidence.at(evidenceRow, 0);
      int length = rows * evidence.checks();
      int to = (int) row * evidence.checks();
      System.arraycopy(evidence.predicted, from, predicted, to, length);
      System.arraycopy(evidence.shown, from, shown, to, length);
      System.arraycopy(evidence.tolerance, from, tolerance, to, length);
      count += length;
    }

    @Override
    public void suspect(GemmProblem p, Region region, Component component) {
      suspicious = true;
    }

    @Override
    public void inputDiffers(GemmProblem p, Region region, long block) {
      suspicious = true;
    }

    @Override
    public void panelDiffers(GemmProblem p, Region region, long panel, int kBlock) {
      suspicious = true;
    }

    @Override
    public void recordDiffers(GemmProblem p, Region region, long block, int kBlock) {
      suspicious = true;
    }

    boolean agrees(Kept other) {
      boolean agree = count > 0 && count == other.count && !suspicious && !other.suspicious;
      for (int i = 0; i < count; i++) {
        double apart = tolerance[i] / other.tolerance[i];
        agree &=
            Math.abs(predicted[i] - other.predicted[i]) <= tolerance[i]
                && Math.abs(shown[i] - other.shown[i]) <= tolerance[i]
                && Math.abs(shown[i] - predicted[i]) <= tolerance[i]
                && apart <= SPREAD
                && 1 / apart <= SPREAD;
      }
      return agree;
    }
  }

  /** Whether a program makes the evidence that the host makes. */
  boolean isRight(
      DeviceContext context, GemmProgram products, EvidenceProgram program, Workspace workspace) {
    var region = new Region().set(0, 0, ROWS, 0, (int) problem.b.blocks());
    var ofHost = new Kept();
    host.recompute(problem, region, 0, workspace, ofHost); // checks rows whatever the size
    var ofDevice = new Kept();
    try (var gemm = new DeviceGemm(context, products, program, null);
        var panels = new DevicePanels(problem.b, context, PanelForm.OF_HOST)) {
      PanelBuffer memory = panels.open(problem.b, gemm.queue(), false);
      DeviceObject records = panels.openRecords(problem.b, gemm.queue());
      gemm.run(problem, region, memory, records, null, false, 1);
      gemm.evidence().verifyRecords(problem, region, panels, gemm.queue(), ofDevice);
      gemm.prediction().compare(problem, region, ofDevice, () -> {});
    }
    return ofHost.agrees(ofDevice);
  }

  @Override
  public void close() {
    arena.close();
  }
}
