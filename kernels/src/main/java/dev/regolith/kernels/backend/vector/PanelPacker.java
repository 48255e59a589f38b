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

/** Packs one check block's columns of one k-block of B, with seals and check record. */
final class PanelPacker {
  private static final int ATTEMPTS = 3;

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
      long packed =
          panels(memory, offset, stride, depth, columns, target, matrix, block, kBlock, w);
      if (!verify) {
        return;
      }
      if (!direct && staged != packed) {
        continue; // the staged copy was damaged on the way
      }
      record(memory, offset, stride, depth, columns, target, matrix, block, kBlock, w);
      // The record, too, must be made of what was packed: the words must have held still meanwhile.
      SealLanes.sums(memory, offset, stride, depth, columns, columns, w.raw, w.folded, w.found, 0);
      if (w.found[0] != packed) {
        unpack(target, matrix, block, kBlock, w.staging);
        record(
            w.staging,
            0,
            4L * CheckBlock.COLUMNS,
            depth,
            columns,
            target,
            matrix,
            block,
            kBlock,
            w);
      }
      return;
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

  /** Copies the columns into panels; the sum of all words. */
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
    for (int left = 0; left < columns; left += TILE_COLUMNS, panel++) {
      long to = target.panelOffset(panel, kBlock);
      for (int half = 0; half < TILE_COLUMNS; half += LANES) {
        int valid = columns - left - half;
        long from = offset + 4L * (left + half);
        if (valid >= LANES) {
          SealLanes.copy(
              memory,
              from,
              stride,
              target.panels(),
              to + 4L * half,
              4L * TILE_COLUMNS,
              depth,
              w.raw);
        } else {
          SealLanes.copy(
              memory,
              valid > 0 ? from : offset,
              stride,
              target.panels(),
              to + 4L * half,
              4L * TILE_COLUMNS,
              depth,
              Math.max(0, valid),
              w.raw);
        }
        SealLanes.fold(w.raw, depth, half, TILE_COLUMNS, w.folded, 0);
      }
      int at = target.panelSealAt(panel, kBlock);
      SealLanes.finish(w.folded, 0, target.panelSeals(), at);
      words += target.panelSeals()[at];
    }
    return words;
  }

  private static void record(
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
    int pattern = (int) (block % Signs.PATTERNS);
    CheckCoefficients coefficients = w.coefficients.open(target, kBlock);
    int[] words = w.record;
    Arrays.fill(words, 0);
    for (int k = 0; k < depth; k++) {
      RowSums.all(memory, offset + k * stride, columns, pattern, w.rowSums);
      double signed = w.rowSums[RowSums.SIGNED];
      words[k] = Float.floatToRawIntBits((float) signed);
      coefficients.add(k, signed, w.rowSums[RowSums.SQUARES], w.rowSums[RowSums.PLAIN]);
    }
    for (int grain = 0; grain < PackedB.GRAINS; grain++) {
      put(words, target.coefficients() + 8L * grain, coefficients.ofGrain(grain));
    }
    put(words, target.mean(), coefficients.mean());
    // Sealed from the registers that the words pass through on their way.
    long record = target.recordOffset(matrix, block, kBlock);
    SealLanes.copy(words, target.recordWords() / LANES, target.records(), record, w.raw);
    SealLanes.fold(w.raw, target.recordWords() / LANES, 0, LANES, w.folded, 0);
    int at = target.recordSealAt(matrix, block, kBlock);
    SealLanes.finish(w.folded, 0, target.recordSeals(), at);
  }

  private static void put(int[] words, long offset, double value) {
    long bits = Double.doubleToRawLongBits(value);
    boolean little = VectorShapes.ORDER == ByteOrder.LITTLE_ENDIAN;
    int at = (int) (offset / 4);
    words[at] = (int) (little ? bits : bits >>> 32);
    words[at + 1] = (int) (little ? bits >>> 32 : bits);
  }
}
