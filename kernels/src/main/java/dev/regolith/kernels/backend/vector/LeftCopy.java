package dev.regolith.kernels.backend.vector;

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

/** A region's rows of A, copied for a k-block: checked on the way in, and after their use. */
final class LeftCopy {
  private LeftCopy() {}

  /** Copies a k-block of the region's rows of A, and predicts from their source. */
  static void copy(GemmProblem p, Region region, int kBlock, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    boolean predicts = p.verify && !p.packsB();
    if (predicts) {
      openPrediction(p, region, kBlock, w);
    }
    for (int top = 0; top < region.rows; top += CheckBlock.ROWS) {
      int rows = Math.min(CheckBlock.ROWS, region.rows - top);
      long aRow = aRow(p, region, top, kBlock);
      if (Probe.ON) {
        Probe.reach(ProbePoint.A_READ, p.a, aRow, rows, 4L * depth, p.aStride);
      }
      if (p.verify) {
        copyChecked(p, region, kBlock, top, rows, aRow, w, sink);
      } else {
        Strip.copy(p.a, aRow, p.aStride, rows, depth, w.copied, w.copyAt(top, kBlock));
      }
      if (Probe.ON) {
        probe(ProbePoint.PACKED_A_WRITTEN, top, rows, kBlock, depth, w);
      }
      if (predicts) {
        predict(p, region, kBlock, top, rows, w);
      }
    }
  }

  /** Predicts when the k-block was multiplied, if check records were made meanwhile. */
  static void predictLate(GemmProblem p, Region region, int kBlock, VectorWorkspace w) {
    if (p.verify && p.packsB()) {
      openPrediction(p, region, kBlock, w);
      for (int top = 0; top < region.rows; top += CheckBlock.ROWS) {
        predict(p, region, kBlock, top, Math.min(CheckBlock.ROWS, region.rows - top), w);
      }
    }
  }

  private static void openPrediction(GemmProblem p, Region region, int kBlock, VectorWorkspace w) {
    if (Probe.ON) {
      PackedBCheck.probeRecords(p, region, kBlock);
    }
    w.prediction.open(p.b, region, kBlock, w.evidence);
  }

  /** Predicts from a check block's rows. */
  private static void predict(
      GemmProblem p, Region region, int kBlock, int row, int rows, VectorWorkspace w) {
    if (Probe.ON) {
      long aRow = aRow(p, region, row, kBlock);
      long bytes = 4L * p.b.depthOf(kBlock);
      Probe.reach(ProbePoint.A_PREDICTED, p.a, aRow, rows, bytes, p.aStride);
    }
    w.prediction.predict(p, region, kBlock, row, rows, survey(p, row, w), w.evidence);
  }

  /** What is known of a check block's rows; of each until the end, if predictions come late. */
  private static RowSurvey survey(GemmProblem p, int row, VectorWorkspace w) {
    return w.survey(p.packsB() ? row / CheckBlock.ROWS : 0);
  }

  private static long aRow(GemmProblem p, Region region, int row, int kBlock) {
    return p.aRow(region.matrix, region.row + row) + 4L * kBlock * PackedB.DEPTH;
  }

  /** Compares the copied rows with their digests, after their last use. */
  static void verify(
      GemmProblem p, Region region, int kBlock, VectorWorkspace w, EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    for (int top = 0; top < region.rows; top += CheckBlock.ROWS) {
      int rows = Math.min(CheckBlock.ROWS, region.rows - top);
      if (Probe.ON) {
        probe(ProbePoint.PACKED_A_LAST_USE, top, rows, kBlock, depth, w);
      }
      if (!p.verify) {
        continue;
      }
      int digest = w.copyDigest(top, kBlock);
      if (Probe.ON) {
        Probe.reach(ProbePoint.PACKED_A_DIGEST, w.digests, digest, WIDE_LANES);
      }
      int at = w.copyAt(top, kBlock);
      Strip.subtract(w.copied, at, MicroKernel.STRIP_STRIDE, rows, depth, w.digests, digest);
      if (!w.takeZero(digest)) {
        VectorGemm.suspect(p, region, top, rows, 0, region.blocks, Component.PACKED_A, sink);
      }
    }
  }

  /**
   * Copies a check block's rows, a check block's columns after the other, so that the sums of the
   * words that were read can be compared with the seals of A.
   */
  private static void copyChecked(
      GemmProblem p,
      Region region,
      int kBlock,
      int top,
      int rows,
      long aRow,
      VectorWorkspace w,
      EvidenceSink sink) {
    int depth = p.b.depthOf(kBlock);
    RowSurvey survey = survey(p, top, w);
    survey.open();
    for (int k = 0; k < depth; k += CheckBlock.COLUMNS) {
      int columns = Math.min(CheckBlock.COLUMNS, depth - k);
      BlockView view = w.view;
      view.open(p.a, aRow + 4L * k, p.aStride, rows, columns, w.raw);
      Strip.copyBlock(
          view.memory,
          view.offset,
          view.stride,
          rows,
          view.width,
          w.copied,
          w.copyAt(top, kBlock),
          k,
          w.raw,
          w.digests,
          w.copyDigest(top, kBlock),
          survey);
      SealGrid seals = p.aSeals;
      if (seals != null) {
        long block =
            p.aSealBlock(seals, region.matrix, region.row + top)
                + (long) kBlock * PackedB.DEPTH / CheckBlock.COLUMNS
                + k / CheckBlock.COLUMNS;
        view.finish(w.raw, w.found, 0);
        LeftCheck.compare(p, region, block, w.found, sink);
      }
    }
  }

  /** Shows some of the copied rows to the probe. */
  static void probe(ProbePoint point, int row, int rows, int kBlock, int depth, VectorWorkspace w) {
    Probe.reach(
        point,
        MemorySegment.ofArray(w.copied),
        4L * w.copyAt(row, kBlock),
        rows,
        4L * depth,
        4L * MicroKernel.STRIP_STRIDE);
  }
}
