package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;
import static dev.regolith.kernels.backend.vector.VectorShapes.WIDE_LANES;

import dev.regolith.kernels.backend.CheckCoefficients;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;

/** Packs one check block's columns of one k-block of B, with seals, digests and check record. */
final class PanelPacker {
  private static final int ATTEMPTS = 3;

  /** More than what adding squares up in float32 lanes loses of them. */
  private static final double ROUNDED_UP = 1 + 0x1p-18;

  private PanelPacker() {}

  static void pack(
      MemorySegment source,
      Range range,
      long matrix,
      PackedB target,
      long block,
      int kBlock,
      boolean verify,
      VectorWorkspace w) {
    int depth = target.depthOf(kBlock);
    int columns = target.columnsOf(block);
    long k0 = (long) kBlock * PackedB.DEPTH;
    long j0 = block * CheckBlock.COLUMNS;
    boolean direct = source.isNative() && range.columnStride() == 1;
    MemorySegment memory = direct ? source : w.staging;
    long offset = direct ? 4 * range.word(matrix, k0, j0) : 0;
    long stride = direct ? 4 * range.rowStride() : 4L * CheckBlock.COLUMNS;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      long staged = 0;
      if (!direct) {
        staged =
            Staging.gather(source, range, matrix, k0, depth, j0, columns, w.staging, 0, stride);
      }
      if (!verify) {
        copy(memory, offset, stride, depth, columns, target, matrix, block, kBlock, w);
        return;
      }
      long packed =
          panels(memory, offset, stride, depth, columns, target, matrix, block, kBlock, w);
      boolean intact = direct || staged == packed; // or the staged copy was damaged on the way
      if (intact && record(target, matrix, block, kBlock, w)) {
        return;
      }
    }
    throw new IllegalStateException(
        "B changes faster than it can be packed: is another thread writing it?");
  }

  /** Brings panels, which hold what was read first, back into row-major order. */
  private static void unpack(
      PackedB packed, long matrix, long block, int kBlock, MemorySegment rows) {
    long panel = packed.panel(matrix, block);
    for (int i = 0; i < packed.panelsOf(block); i++) {
      for (int k = 0; k < packed.depthOf(kBlock); k++) {
        MemorySegment.copy(
            packed.panels(),
            packed.panelOffset(panel + i, kBlock) + 4L * k * TILE_COLUMNS,
            rows,
            4L * (k * CheckBlock.COLUMNS + i * TILE_COLUMNS),
            4L * TILE_COLUMNS);
      }
    }
  }

  /** Copies the columns into panels. */
  private static void copy(
      MemorySegment memory,
      long offset,
      long stride,
      int depth,
      int columns,
      PackedB target,
      long matrix,
      long block,
      int kBlock,
      VectorWorkspace w) {
    long panel = target.panel(matrix, block);
    for (int left = 0; left < columns; left += TILE_COLUMNS, panel++) {
      long from = offset + 4L * left;
      long to = target.panelOffset(panel, kBlock);
      if (columns - left >= TILE_COLUMNS) {
        PanelCopy.copy(memory, from, stride, target.panels(), to, depth);
      } else {
        int count = columns - left;
        for (int half = 0; half < TILE_COLUMNS; half += LANES) {
          long at = to + 4L * half;
          SealLanes.copy(
              memory,
              half < count ? from + 4L * half : from,
              stride,
              target.panels(),
              at,
              4L * TILE_COLUMNS,
              depth,
              Math.clamp(count - half, 0, LANES),
              w.raw);
        }
      }
    }
  }

  /** Copies the columns into panels, with seals and digests, and surveys them; the sum of words. */
  private static long panels(
      MemorySegment memory,
      long offset,
      long stride,
      int depth,
      int columns,
      PackedB target,
      long matrix,
      long block,
      int kBlock,
      VectorWorkspace w) {
    long words = 0;
    long panel = target.panel(matrix, block);
    int signs = (int) (block % Signs.PATTERNS) * CheckBlock.COLUMNS;
    w.packing.open(depth);
    for (int left = 0; left < columns; left += TILE_COLUMNS, panel++) {
      long from = offset + 4L * left;
      long to = target.panelOffset(panel, kBlock);
      int count = columns - left;
      int sign = signs + left;
      Arrays.fill(w.folded, 0);
      if (count >= TILE_COLUMNS) {
        PanelCopy.checked(memory, from, stride, target.panels(), to, depth, sign, w.packing, w.raw);
        SealLanes.fold(w.raw, 2 * depth, 0, LANES, w.folded, 0);
      } else {
        halves(memory, from, stride, target.panels(), to, depth, count, sign, w);
      }
      int at = target.panelSealAt(panel, kBlock);
      SealLanes.finish(w.folded, 0, target.panelSeals(), at);
      target.keepDigest(panel, kBlock, w.raw);
      words += target.panelSeals()[at];
    }
    return words;
  }

  /** Copies a panel that has fewer columns, one half after the other, into the sums of both. */
  private static void halves(
      MemorySegment memory,
      long from,
      long stride,
      MemorySegment panels,
      long to,
      int depth,
      int columns,
      int sign,
      VectorWorkspace w) {
    for (int half = 0; half < TILE_COLUMNS; half += LANES) {
      PanelCopy.checkedHalf(
          memory,
          half < columns ? from + 4L * half : from,
          stride,
          panels,
          to + 4L * half,
          depth,
          Math.clamp(columns - half, 0, LANES),
          sign + half,
          w.packing,
          w.raw);
      SealLanes.fold(w.raw, depth, half, TILE_COLUMNS, w.folded, 0);
      if (half == 0) {
        System.arraycopy(w.raw, 0, w.leftHalf, 0, w.leftHalf.length);
      }
    }
    // A panel's vectors alternate between its halves. With n of them left from a vector on, s1 is
    // the sum of n v: twice the steps left, and one less for those on the right.
    for (int lane = 0; lane < WIDE_LANES; lane++) {
      long right = w.raw[lane];
      w.raw[WIDE_LANES + lane] =
          2 * (w.leftHalf[WIDE_LANES + lane] + w.raw[WIDE_LANES + lane]) - right;
      w.raw[lane] = w.leftHalf[lane] + right;
    }
  }

  /**
   * Makes the check record from the survey, or, where that left the range of float32, anew.
   *
   * @return whether it was made of intact words
   */
  private static boolean record(
      PackedB target, long matrix, long block, int kBlock, VectorWorkspace w) {
    int depth = target.depthOf(kBlock);
    CheckCoefficients coefficients = w.coefficients.open(target, kBlock);
    int[] words = w.record;
    Arrays.fill(words, 0);
    PanelCopy.Survey survey = w.packing;
    boolean consistent = survey.close(depth);
    for (int k = 0; k < depth; k++) {
      words[k] = Float.floatToRawIntBits((float) survey.signedSums[k]);
      coefficients.add(k, survey.signedSums[k], ROUNDED_UP * survey.squareSums[k], 0);
    }
    coefficients.addPlain(survey.plainSum[0]);
    if (!coefficients.within(RowSurvey.SMALLEST, RowSurvey.LARGEST)) {
      surveyAgain(target, matrix, block, kBlock, coefficients, w);
      consistent = holds(target, matrix, block, kBlock, w);
    }
    if (!consistent) {
      return false;
    }
    for (int grain = 0; grain < PackedB.GRAINS; grain++) {
      put(words, target.coefficients() + 8L * grain, coefficients.ofGrain(grain));
    }
    put(words, target.mean(), coefficients.mean());
    // Sealed from the registers that the words pass through on their way.
    long record = target.recordOffset(matrix, block, kBlock);
    SealLanes.copy(words, target.recordWords() / LANES, target.records(), record, w.raw);
    Arrays.fill(w.folded, 0);
    SealLanes.fold(w.raw, target.recordWords() / LANES, 0, LANES, w.folded, 0);
    int at = target.recordSealAt(matrix, block, kBlock);
    SealLanes.finish(w.folded, 0, target.recordSeals(), at);
    return true;
  }

  /** Whether panels are still what was packed. */
  private static boolean holds(
      PackedB target, long matrix, long block, int kBlock, VectorWorkspace w) {
    long[] sums = w.leftHalf;
    boolean holds = true;
    long panel = target.panel(matrix, block);
    for (int i = 0; i < target.panelsOf(block); i++) {
      long offset = target.panelOffset(panel + i, kBlock);
      Digest.of(target.panels(), offset, target.panelWords(kBlock), target.lanes(), sums, 0);
      holds &= target.agrees(panel + i, kBlock, sums);
    }
    return holds;
  }

  /** Surveys what was packed in double precision. */
  private static void surveyAgain(
      PackedB target,
      long matrix,
      long block,
      int kBlock,
      CheckCoefficients coefficients,
      VectorWorkspace w) {
    int pattern = (int) (block % Signs.PATTERNS);
    unpack(target, matrix, block, kBlock, w.staging);
    coefficients.open(target, kBlock);
    for (int k = 0; k < target.depthOf(kBlock); k++) {
      long row = 4L * CheckBlock.COLUMNS * k;
      RowSums.all(w.staging, row, target.columnsOf(block), pattern, w.rowSums);
      double signed = w.rowSums[RowSums.SIGNED];
      w.record[k] = Float.floatToRawIntBits((float) signed);
      coefficients.add(k, signed, w.rowSums[RowSums.SQUARES], w.rowSums[RowSums.PLAIN]);
    }
  }

  private static void put(int[] words, long offset, double value) {
    long bits = Double.doubleToRawLongBits(value);
    boolean little = VectorShapes.ORDER == ByteOrder.LITTLE_ENDIAN;
    int at = (int) (offset / 4);
    words[at] = (int) (little ? bits : bits >>> 32);
    words[at + 1] = (int) (little ? bits >>> 32 : bits);
  }
}
