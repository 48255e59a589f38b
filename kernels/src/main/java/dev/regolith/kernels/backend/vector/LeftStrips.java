package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.LeftCheck;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PackedBCheck;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * A region's rows of A, copied in strips for a k-block: checked on the way in, and after their use.
 */
final class LeftStrips {
  private LeftStrips() {}

  /** Copies a k-block of the region's rows of A, and predicts from their source. */
  static void copy(GemmProblem p, Region region, int kBlock, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    boolean predicts = p.verify && p.bRange == null;
    if (predicts) {
      openPrediction(p, region, kBlock, w);
    }
    for (int strip = 0; strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      long aRow = aRow(p, region, row, kBlock);
      if (Probe.ON) {
        Probe.reach(ProbePoint.A_READ, p.a, aRow, rows, 4L * depth, p.aStride);
      }
      if (p.verify) {
        copyChecked(p, region, kBlock, strip, rows, aRow, w, sink);
      } else {
        Strip.copy(p.a, aRow, p.aStride, rows, depth, w.copied[strip]);
      }
      if (Probe.ON) {
        probe(ProbePoint.PACKED_A_WRITTEN, strip, depth, w);
      }
      if (predicts && w.completes(strip, region)) {
        predict(p, region, kBlock, row + rows, w);
      }
    }
  }

  /** Predicts when the k-block was multiplied, if check records were made meanwhile. */
  static void predictLate(GemmProblem p, Region region, int kBlock, VectorWorkspace w) {
    if (p.verify && p.bRange != null) {
      openPrediction(p, region, kBlock, w);
      for (int top = 0; top < region.rows; top += CheckBlock.ROWS) {
        predict(p, region, kBlock, Math.min(region.rows, top + CheckBlock.ROWS), w);
      }
    }
  }

  private static void openPrediction(GemmProblem p, Region region, int kBlock, VectorWorkspace w) {
    if (Probe.ON) {
      PackedBCheck.probeRecords(p, region, kBlock);
    }
    w.prediction.open(p.b, region, kBlock, w.evidence);
  }

  /** Predicts from a check block of rows, given the row behind its last. */
  private static void predict(
      GemmProblem p, Region region, int kBlock, int end, VectorWorkspace w) {
    int row = (end - 1) / CheckBlock.ROWS * CheckBlock.ROWS;
    int rows = end - row;
    if (Probe.ON) {
      long aRow = aRow(p, region, row, kBlock);
      long bytes = 4L * p.b.depthOf(kBlock);
      Probe.reach(ProbePoint.A_PREDICTED, p.a, aRow, rows, bytes, p.aStride);
    }
    w.prediction.predict(p, region, kBlock, row, rows, survey(p, row, w), w.evidence);
  }

  /** What is known of a check block's rows; of each until the end, if predictions come late. */
  private static RowSurvey survey(GemmProblem p, int row, VectorWorkspace w) {
    return w.survey(p.bRange == null ? 0 : row / CheckBlock.ROWS);
  }

  private static long aRow(GemmProblem p, Region region, int row, int kBlock) {
    return p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
  }

  /** Compares the copied strips with their digests, after their last use. */
  static void verify(
      GemmProblem p, Region region, int kBlock, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    for (int strip = 0; strip < w.strips; strip++) {
      int row = w.row[strip];
      int rows = w.row[strip + 1] - row;
      if (Probe.ON) {
        probe(ProbePoint.PACKED_A_LAST_USE, strip, depth, w);
      }
      if (!p.verify) {
        continue;
      }
      int digest = w.stripDigest(strip);
      if (Probe.ON) {
        Probe.reach(ProbePoint.PACKED_A_DIGEST, w.digests, digest, WIDE_LANES);
      }
      int stride = MicroKernel.STRIP_STRIDE;
      Strip.subtract(w.copied[strip], 0, stride, rows, depth, w.digests, digest);
      if (!w.takeZero(digest)) {
        VectorGemm.suspect(p, region, row, rows, 0, region.blocks, Component.PACKED_A, sink);
      }
    }
  }

  /**
   * Copies a strip a check block's columns after the other, so that the sums of the words that were
   * read can be compared with the seals of A.
   */
  private static void copyChecked(
      GemmProblem p,
      Region region,
      int kBlock,
      int strip,
      int rows,
      long aRow,
      VectorWorkspace w,
      EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    int end = w.row[strip + 1];
    boolean complete = w.completes(strip, region);
    int digest = w.stripDigest(strip);
    int inBlock = w.row[strip] % CheckBlock.ROWS;
    RowSurvey survey = survey(p, w.row[strip], w);
    if (inBlock == 0) {
      survey.open();
    }
    for (int k = 0; k < depth; k += CheckBlock.COLUMNS) {
      int columns = Math.min(CheckBlock.COLUMNS, depth - k);
      long[] raw = w.aRaw[k / CheckBlock.COLUMNS];
      MemorySegment memory = p.a;
      long from = aRow + 4L * k;
      long stride = p.aStride;
      int width = CheckBlock.pitch(columns);
      if (columns < width) {
        BlockPass.stage(memory, from, stride, rows, columns, w.staged);
        memory = w.staged;
        from = 0;
        stride = BlockPass.STAGED_STRIDE;
      }
      Strip.copyBlock(
          memory,
          from,
          stride,
          rows,
          width,
          w.copied[strip],
          k,
          raw,
          w.digests,
          digest,
          survey,
          inBlock);
      if (complete) {
        SealGrid seals = p.aSeals;
        if (seals != null) {
          long block =
              p.aSealBlock(seals, region.matrix, region.row + end - 1)
                  + (long) kBlock * PackedB.DEPTH / CheckBlock.COLUMNS
                  + k / CheckBlock.COLUMNS;
          int sealed = (end - 1) % CheckBlock.ROWS + 1;
          SealLanes.finish(raw, sealed * width / LANES, w.found, 0);
          LeftCheck.compare(p, region, block, w.found, sink);
        }
        Arrays.fill(raw, 0);
      }
    }
  }

  static void probe(ProbePoint point, int strip, int depth, VectorWorkspace w) {
    Probe.reach(
        point,
        MemorySegment.ofArray(w.copied[strip]),
        0,
        w.row[strip + 1] - w.row[strip],
        4L * depth,
        4L * MicroKernel.STRIP_STRIDE);
  }
}
