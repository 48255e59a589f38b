package dev.regolith.kernels.backend.scalar;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.CheckCoefficients;
import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.LeftCheck;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.RowKernels;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.checksum.Tolerance;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Matrix multiplication in plain Java: the reference twin of the fast backends, the diverse path of
 * the guard's ladder, and what computes where {@code jdk.incubator.vector} is missing.
 *
 * <p>One row of a region at a time: {@code acc[j] = fma(a[i][k], b[k][j], acc[j])} for increasing
 * k. A is read from its source (there is no copy), and accumulators never leave the thread's row
 * buffer, so there are no digests.
 */
public final class ScalarGemm implements Backend {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE;
  private static final int PANEL_COLUMNS = 16;

  private static final class Buffers implements Workspace {
    final long[] digest = new long[Digest.SUMS * PANEL_COLUMNS / 4];
    final float[] row = new float[Region.MAX_BLOCKS * CheckBlock.COLUMNS];
    final long[] seals = new long[Region.MAX_BLOCKS * Seal.SUMS];
    final long[] found = new long[Seal.SUMS];
    final Evidence evidence = new Evidence();
    final ScalarAttention.Buffers attention = new ScalarAttention.Buffers();
  }

  @Override
  public void attend(
      AttentionProblem p, AttentionRegion region, Workspace workspace, AttentionSink sink) {
    ScalarAttention.run(p, region, ((Buffers) workspace).attention, sink);
  }

  @Override
  public int checkingRows() {
    return 0;
  }

  @Override
  public boolean isIntact(
      PackedB packed, long panel, int kBlock, long[] found, Workspace workspace) {
    long offset = packed.panelOffset(panel, kBlock);
    int words = packed.panelWords(kBlock);
    long[] digest = ((Buffers) workspace).digest;
    PackedB.scan(packed.panelsWith(panel), offset, words, found, 0);
    Digest.of(packed.panelsWith(panel), offset, words, packed.lanes(), digest, 0);
    return Seal.same(found, 0, packed.panelSeals(), packed.panelSealAt(panel, kBlock))
        && packed.agrees(panel, kBlock, digest);
  }

  @Override
  public boolean isFinite(MemorySegment memory, long offset, int floats) {
    boolean finite = true;
    for (int i = 0; i < floats; i++) {
      finite &= Float.isFinite(memory.get(FLOAT, offset + 4L * i));
    }
    return finite;
  }

  @Override
  public String name() {
    return "scalar";
  }

  @Override
  public int panelColumns() {
    return PANEL_COLUMNS;
  }

  @Override
  public RowKernels newRowKernels() {
    return new ScalarRows();
  }

  @Override
  public Workspace newWorkspace() {
    return new Buffers();
  }

  @Override
  public void scan(
      MemorySegment memory, SealGrid grid, long block, long[] found, Workspace workspace) {
    grid.scan(memory, block, found, 0);
  }

  @Override
  public void scan(
      MemorySegment memory, long offset, int words, long[] found, Workspace workspace) {
    PackedB.scan(memory, offset, words, found, 0);
  }

  @Override
  public void pack(
      MemorySegment source,
      Range range,
      long matrix,
      PackedB target,
      long block,
      int kBlock,
      boolean verify,
      Workspace workspace) {
    int depth = target.depthOf(kBlock);
    int columns = target.columnsOf(block);
    int width = target.panelColumns();
    long k0 = (long) kBlock * PackedB.DEPTH;
    long j0 = block * CheckBlock.COLUMNS;
    long[] digest = ((Buffers) workspace).digest;
    for (int panel = 0; panel < target.panelsOf(block); panel++) {
      long number = target.panel(matrix, block) + panel;
      long to = target.panelOffset(number, kBlock);
      int at = target.panelSealAt(number, kBlock);
      Arrays.fill(target.panelSeals(), at, at + Seal.SUMS, 0);
      Arrays.fill(digest, 0);
      for (int i = 0; i < depth * width; i++, to += 4) {
        int j = panel * width + i % width;
        int word =
            j < columns
                ? source.getAtIndex(
                    ValueLayout.JAVA_INT, range.word(matrix, k0 + i / width, j0 + j))
                : 0;
        target.panels().set(ValueLayout.JAVA_INT, to, word);
        Seal.add(target.panelSeals(), at, word, i + 1);
        Digest.add(digest, 0, target.lanes(), i, word);
      }
      target.keepDigest(number, kBlock, digest);
    }
    if (verify) {
      record(source, range, matrix, target, block, kBlock);
    }
  }

  private static void record(
      MemorySegment source, Range range, long matrix, PackedB target, long block, int kBlock) {
    int depth = target.depthOf(kBlock);
    int columns = target.columnsOf(block);
    MemorySegment records = target.records();
    long record = target.recordOffset(matrix, block, kBlock);
    records.asSlice(record, target.recordBytes()).fill((byte) 0);
    var coefficients = new CheckCoefficients().open(target, kBlock);
    for (int k = 0; k < depth; k++) {
      double signed = 0;
      double squares = 0;
      double plain = 0;
      long row = (long) kBlock * PackedB.DEPTH + k;
      for (int j = 0; j < columns; j++) {
        double x =
            source.getAtIndex(FLOAT, range.word(matrix, row, block * CheckBlock.COLUMNS + j));
        signed += Signs.of(block, j) * x;
        squares += x * x;
        plain += x;
      }
      records.set(FLOAT, record + 4L * k, (float) signed);
      coefficients.add(k, signed, squares);
      coefficients.addPlain(plain);
    }
    for (int grain = 0; grain < PackedB.GRAINS; grain++) {
      records.set(DOUBLE, record + target.coefficients() + 8L * grain, coefficients.ofGrain(grain));
    }
    records.set(DOUBLE, record + target.mean(), coefficients.mean());
    int at = target.recordSealAt(matrix, block, kBlock);
    PackedB.scan(records, record, target.recordWords(), target.recordSeals(), at);
  }

  @Override
  public void run(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    var w = (Buffers) workspace;
    PackedB b = p.b;
    long mark = b.repairs().mark();
    w.evidence.open(region.rows, region.blocks, b.depth());
    Arrays.fill(w.seals, 0);
    for (int row = 0; row < region.rows; row++) {
      Arrays.fill(w.row, 0f);
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        multiply(p, region, row, kBlock, w);
        if (p.verify) {
          predict(p, region, row, kBlock, w.evidence);
        }
      }
      store(p, region, row, w);
      if (p.verify) {
        show(p, region, row, w.evidence);
        sink.evidence(p, region, region.row + row, 1, w.evidence, row);
        boolean blockEnds = (row + 1) % CheckBlock.ROWS == 0 || row + 1 == region.rows;
        if (blockEnds) {
          seal(p, region, row, w);
        }
      }
    }
    if (p.verify) {
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        PackedBCheck.verifyPanels(this, p, region, kBlock, w.found, w, sink);
        PackedBCheck.verifyRecords(this, p, region, kBlock, w.found, w, sink);
      }
      LeftCheck.verify(this, p, region, w.found, w, sink);
    }
    if (!b.repairs().noneSince(mark)) {
      sink.suspect(p, region, Component.PACKED_B);
    }
  }

  @Override
  public void examine(GemmProblem p, Region region, Workspace workspace, EvidenceSink sink) {
    var w = (Buffers) workspace;
    PackedB b = p.b;
    long mark = b.repairs().mark();
    w.evidence.open(region.rows, region.blocks, b.depth());
    SealGrid seals = p.cSeals;
    for (int row = 0; row < region.rows; row++) {
      for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
        predict(p, region, row, kBlock, w.evidence);
      }
      if (Probe.ON) {
        probe(ProbePoint.C_STORED, p, region, row);
      }
      boolean blockStarts = row % CheckBlock.ROWS == 0;
      if (seals != null && blockStarts) {
        for (int block = 0; block < region.blocks; block++) {
          long blockRow = (region.row + row) / CheckBlock.ROWS;
          int number = seals.block(region.matrix, blockRow, region.block + block);
          seals.scan(p.c, number, seals.sums(), Seal.SUMS * number);
        }
      }
      show(p, region, row, w.evidence);
      sink.evidence(p, region, region.row + row, 1, w.evidence, row);
    }
    for (int kBlock = 0; kBlock < b.kBlocks(); kBlock++) {
      PackedBCheck.verifyRecords(this, p, region, kBlock, w.found, w, sink);
    }
    LeftCheck.verify(this, p, region, w.found, w, sink);
    if (!b.repairs().noneSince(mark)) {
      sink.suspect(p, region, Component.PACKED_B);
    }
  }

  private static void multiply(GemmProblem p, Region region, int row, int kBlock, Buffers w) {
    PackedB b = p.b;
    int depth = b.depthOf(kBlock);
    int width = b.panelColumns();
    long a = p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
    if (Probe.ON) {
      Probe.reach(ProbePoint.A_READ, p.a, a, 1, 4L * depth, 0);
    }
    long panel = b.panel(region.matrix, region.block);
    int count = PackedBCheck.panels(region, b);
    for (int i = 0; i < count; i++) {
      MemorySegment panels = b.panelsWith(panel + i);
      long from = b.panelOffset(panel + i, kBlock);
      if (Probe.ON) {
        Probe.reach(ProbePoint.PACKED_B_READ, panels, from, 1, 4L * b.panelWords(kBlock), 0);
      }
      for (int k = 0; k < depth; k++) {
        chain(w.row, i * width, p.a.get(FLOAT, a + 4L * k), panels, from, width);
        from += 4L * width;
      }
    }
  }

  private static void chain(
      float[] row, int at, float x, MemorySegment panels, long from, int width) {
    for (int j = 0; j < width; j++) {
      row[at + j] = Math.fma(x, panels.get(FLOAT, from + 4L * j), row[at + j]);
    }
  }

  private static void predict(
      GemmProblem p, Region region, int row, int kBlock, Evidence evidence) {
    PackedB b = p.b;
    int depth = b.depthOf(kBlock);
    long a = p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
    if (Probe.ON) {
      Probe.reach(ProbePoint.A_PREDICTED, p.a, a, 1, 4L * depth, 0);
      PackedBCheck.probeRecords(p, region, kBlock);
    }
    if (depth == 0) {
      return;
    }
    double sum = 0;
    for (int k = 0; k < depth; k++) {
      sum += p.a.get(FLOAT, a + 4L * k);
    }
    for (int check = 0; check < evidence.checks(); check++) {
      int columns = 0;
      double product = 0;
      double spread = 0;
      double mean = 0;
      for (int i = 0; i < evidence.blocksOf(check); i++) {
        long block = region.block + evidence.firstBlock(check) + i;
        long record = b.recordOffset(region.matrix, block, kBlock);
        for (int k = 0; k < depth; k++) {
          double x = p.a.get(FLOAT, a + 4L * k);
          int grain = k / Tolerance.GRAIN;
          product += x * b.records().get(FLOAT, record + 4L * k);
          spread += x * x * b.records().get(DOUBLE, record + b.coefficients() + 8L * grain);
        }
        mean += b.records().get(DOUBLE, record + b.mean());
        columns += b.columnsOf(block);
      }
      evidence.add(evidence.at(row, check), product, spread, sum * mean, depth, columns);
    }
  }

  private static void store(GemmProblem p, Region region, int row, Buffers w) {
    int columns = PackedBCheck.columns(region, p.b);
    long left = 4L * region.block * CheckBlock.COLUMNS;
    long c = p.cRow(region.matrix, region.row + row) + left;
    long old = p.oldCRow(region.matrix, region.row + row) + left;
    if (Probe.ON && p.beta != 0) {
      Probe.reach(ProbePoint.OLD_C_READ, p.oldC, old, 1, 4L * columns, 0);
    }
    int rowInBlock = row % CheckBlock.ROWS;
    for (int j = 0; j < columns; j++) {
      float x = w.row[j];
      float value =
          p.beta == 0
              ? p.alpha * x
              : Math.fma(p.alpha, x, p.beta * p.oldC.get(FLOAT, old + 4L * j));
      p.c.set(FLOAT, c + 4L * j, value);
      long block = region.block + j / CheckBlock.COLUMNS;
      int pitch = CheckBlock.pitch(p.b.columnsOf(block));
      Seal.add(
          w.seals,
          j / CheckBlock.COLUMNS * Seal.SUMS,
          Float.floatToRawIntBits(value),
          rowInBlock * pitch + j % CheckBlock.COLUMNS + 1);
    }
    if (Probe.ON) {
      probe(ProbePoint.C_STORED, p, region, row);
    }
  }

  private static void probe(ProbePoint point, GemmProblem p, Region region, int row) {
    long c = p.cRow(region.matrix, region.row + row) + 4L * region.block * CheckBlock.COLUMNS;
    Probe.reach(point, p.c, c, 1, 4L * PackedBCheck.columns(region, p.b), 0);
  }

  private static void show(GemmProblem p, Region region, int row, Evidence evidence) {
    for (int check = 0; check < evidence.checks(); check++) {
      long first = region.block + evidence.firstBlock(check);
      double shown = 0;
      double signedOld = 0;
      double oldSquares = 0;
      int columns = 0;
      for (long block = first; block < first + evidence.blocksOf(check); block++) {
        long left = 4 * block * CheckBlock.COLUMNS;
        long c = p.cRow(region.matrix, region.row + row) + left;
        long old = p.oldCRow(region.matrix, region.row + row) + left;
        for (int j = 0; j < p.b.columnsOf(block); j++) {
          shown += Signs.of(block, j) * p.c.get(FLOAT, c + 4L * j);
          if (p.beta != 0) {
            double x = p.oldC.get(FLOAT, old + 4L * j);
            signedOld += Signs.of(block, j) * x;
            oldSquares += x * x;
          }
        }
        columns += p.b.columnsOf(block);
      }
      evidence.close(
          evidence.at(row, check), p.alpha, p.beta, p.b.depth(), columns, signedOld, oldSquares);
      evidence.shown[evidence.at(row, check)] = shown;
    }
    if (Probe.ON) {
      int from = evidence.at(row, 0);
      Probe.reach(ProbePoint.EVIDENCE, evidence.predicted, from, evidence.checks());
      Probe.reach(ProbePoint.EVIDENCE, evidence.shown, from, evidence.checks());
      Probe.reach(ProbePoint.TOLERANCE, evidence.tolerance, from, evidence.checks());
    }
  }

  private static void seal(GemmProblem p, Region region, int row, Buffers w) {
    SealGrid seals = p.cSeals;
    if (seals != null) {
      long blockRow = (region.row + row) / CheckBlock.ROWS;
      for (int block = 0; block < region.blocks; block++) {
        int at = Seal.SUMS * seals.block(region.matrix, blockRow, region.block + block);
        System.arraycopy(w.seals, block * Seal.SUMS, seals.sums(), at, Seal.SUMS);
      }
    }
    Arrays.fill(w.seals, 0);
  }
}
