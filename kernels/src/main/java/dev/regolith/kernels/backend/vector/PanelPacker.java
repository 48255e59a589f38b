package dev.regolith.kernels.backend.vector;

import static dev.regolith.kernels.backend.vector.VectorShapes.LANES;
import static dev.regolith.kernels.backend.vector.VectorShapes.TILE_COLUMNS;

import dev.regolith.kernels.backend.CheckCoefficients;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Staging;
import dev.regolith.kernels.checksum.CheckBlock;
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
      PanelPlace place,
      VectorWorkspace w) {
    int depth = target.depthOf(kBlock);
    int inRows = source.isNative() && range.columnStride() == 1 ? target.columnsOf(block) : 0;
    int direct = inRows / TILE_COLUMNS;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      boolean intact = true;
      if (verify) {
        w.packing.open(depth);
      }
      if (direct > 0) {
        long from =
            4 * range.word(matrix, (long) kBlock * PackedB.DEPTH, block * CheckBlock.COLUMNS);
        long stride = 4 * range.rowStride();
        copy(source, from, stride, matrix, target, block, 0, direct, kBlock, verify, place, w);
      }
      for (int i = direct; i < target.panelsOf(block); i++) {
        intact &= staged(source, range, matrix, target, block, i, kBlock, verify, place, w);
      }
      if (!verify || (intact && record(target, matrix, block, kBlock, place, w))) {
        return;
      }
    }
    throw new IllegalStateException(
        "B changes faster than it can be packed: is another thread writing it?");
  }

  /** Packs panels from rows of their columns. */
  private static void copy(
      MemorySegment source,
      long from,
      long stride,
      long matrix,
      PackedB target,
      long block,
      int number,
      int count,
      int kBlock,
      boolean verify,
      PanelPlace place,
      VectorWorkspace w) {
    int depth = target.depthOf(kBlock);
    if (!verify) {
      PanelCopy.copy(source, from, stride, place, number, count, depth);
      return;
    }
    int signs = (int) (block % Signs.PATTERNS) * CheckBlock.COLUMNS + number * TILE_COLUMNS;
    long[] sums = w.panelSums;
    PanelCopy.checked(source, from, stride, place, number, count, depth, signs, w.packing, sums);
    for (int i = 0; i < count; i++) {
      long panel = target.panel(matrix, block) + number + i;
      int at = i * SealLanes.RAW;
      SealLanes.finish(sums, at, 2 * depth, target.panelSeals(), target.panelSealAt(panel, kBlock));
      target.keepDigest(panel, kBlock, sums, at);
    }
  }

  /**
   * Packs a panel whose columns lie in no form for vectors, or that lacks some: from a copy, zeros
   * in their place. Columns that only have to be turned are, at once, if nobody verifies.
   *
   * @return whether what was packed are the words that were read
   */
  private static boolean staged(
      MemorySegment source,
      Range range,
      long matrix,
      PackedB target,
      long block,
      int number,
      int kBlock,
      boolean verify,
      PanelPlace place,
      VectorWorkspace w) {
    int depth = target.depthOf(kBlock);
    int left = number * TILE_COLUMNS;
    int columns = Math.min(TILE_COLUMNS, target.columnsOf(block) - left);
    long k = (long) kBlock * PackedB.DEPTH;
    long j = block * CheckBlock.COLUMNS + left;
    long stride = 4L * TILE_COLUMNS;
    MemorySegment copy = w.staging;
    long from = 4 * range.word(matrix, k, j);
    boolean full = columns == TILE_COLUMNS;
    boolean turns = full && source.isNative() && range.rowStride() == 1;
    if (turns && !verify) {
      long to = place.offset(number);
      PanelCopy.turn(source, from, 4 * range.columnStride(), place.memory(), to, depth, w.raw);
      return true;
    }
    long read;
    if (turns) {
      read = PanelCopy.turn(source, from, 4 * range.columnStride(), copy, 0, depth, w.raw);
    } else if (source.isNative() && range.columnStride() == 1) {
      read = PanelCopy.fillUp(source, from, 4 * range.rowStride(), columns, copy, depth, w.raw);
    } else {
      if (!full) {
        PanelCopy.clear(copy, depth);
      }
      read = Staging.gather(source, range, matrix, k, depth, j, columns, copy, 0, stride);
    }
    copy(copy, 0, stride, matrix, target, block, number, 1, kBlock, verify, place, w);
    long panel = target.panel(matrix, block) + number;
    return !verify || read == target.panelSeals()[target.panelSealAt(panel, kBlock)];
  }

  /**
   * Makes the check record from the survey, or, where that left the range of float32, from another
   * one of what was packed.
   *
   * @return whether it was made of intact words
   */
  private static boolean record(
      PackedB target, long matrix, long block, int kBlock, PanelPlace place, VectorWorkspace w) {
    int depth = target.depthOf(kBlock);
    PanelCopy.Survey survey = w.packing;
    boolean intact = survey.close(depth);
    CheckCoefficients coefficients = coefficients(target, kBlock, w);
    if (!coefficients.within(RowSurvey.SMALLEST, RowSurvey.LARGEST)) {
      intact = surveyAgain(target, matrix, block, kBlock, place, w);
      coefficients = coefficients(target, kBlock, w);
    }
    if (!intact) {
      return false;
    }
    int[] words = w.record;
    Arrays.fill(words, 0);
    for (int k = 0; k < depth; k++) {
      words[k] = Float.floatToRawIntBits((float) survey.signedSums[k]);
    }
    for (int grain = 0; grain < PackedB.GRAINS; grain++) {
      put(words, target.coefficients() + 8L * grain, coefficients.ofGrain(grain));
    }
    put(words, target.mean(), coefficients.mean());
    // Sealed from the registers that the words pass through on their way.
    long record = target.recordOffset(matrix, block, kBlock);
    SealLanes.copy(words, target.recordWords() / LANES, target.records(), record, w.raw);
    int at = target.recordSealAt(matrix, block, kBlock);
    SealLanes.finish(w.raw, target.recordWords() / LANES, target.recordSeals(), at);
    return true;
  }

  private static CheckCoefficients coefficients(PackedB target, int kBlock, VectorWorkspace w) {
    CheckCoefficients coefficients = w.coefficients.open(target, kBlock);
    for (int k = 0; k < target.depthOf(kBlock); k++) {
      coefficients.add(k, w.packing.signedSums[k], ROUNDED_UP * w.packing.squareSums[k]);
    }
    coefficients.addPlain(w.packing.plainSum[0]);
    return coefficients;
  }

  /**
   * Surveys what was packed in double precision.
   *
   * @return whether the panels are still what was packed
   */
  private static boolean surveyAgain(
      PackedB target, long matrix, long block, int kBlock, PanelPlace place, VectorWorkspace w) {
    int depth = target.depthOf(kBlock);
    int signs = (int) (block % Signs.PATTERNS) * CheckBlock.COLUMNS;
    PanelCopy.Survey survey = w.packing;
    survey.clearSums(depth);
    boolean intact = true;
    for (int i = 0; i < target.panelsOf(block); i++) {
      long panel = target.panel(matrix, block) + i;
      long offset = place.offset(i);
      for (int k = 0; k < depth; k++) {
        long row = offset + 4L * k * TILE_COLUMNS;
        RowSums.all(place.memory(), row, TILE_COLUMNS, signs + i * TILE_COLUMNS, w.rowSums);
        survey.signedSums[k] += w.rowSums[RowSums.SIGNED];
        survey.squareSums[k] += w.rowSums[RowSums.SQUARES];
        survey.plainSum[0] += w.rowSums[RowSums.PLAIN];
      }
      BlockPass.scan(place.memory(), offset, 0, 1, depth * TILE_COLUMNS, w.raw);
      intact &= target.agrees(panel, kBlock, w.raw);
    }
    return intact;
  }

  private static void put(int[] words, long offset, double value) {
    long bits = Double.doubleToRawLongBits(value);
    boolean little = VectorShapes.ORDER == ByteOrder.LITTLE_ENDIAN;
    int at = (int) (offset / 4);
    words[at] = (int) (little ? bits : bits >>> 32);
    words[at + 1] = (int) (little ? bits >>> 32 : bits);
  }
}
