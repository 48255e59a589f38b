package dev.regolith.kernels.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.kernels.backend.scalar.ScalarGemm;
import dev.regolith.kernels.backend.vector.VectorGemm;
import dev.regolith.kernels.checksum.Digest;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.SplittableRandom;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.assertj.core.data.Offset;

/** Seals read by vectors, and seals made while packing, are those that plain Java counts. */
class SealScanTest {
  private static final Backend VECTOR = new VectorGemm();
  private static final Workspace VECTOR_SPACE = VECTOR.newWorkspace();
  private static final Backend SCALAR = new ScalarGemm();
  private static final Workspace SCALAR_SPACE = SCALAR.newWorkspace();

  private static MemorySegment random(Arena arena, long words, long seed) {
    var random = new SplittableRandom(seed);
    var memory = arena.allocate(Math.max(4, 4 * words), 4);
    for (long i = 0; i < words; i++) {
      // Large words (-1) make the sums wrap where they may, ordinary ones look like floats.
      int word = random.nextInt(3) == 0 ? -1 - random.nextInt(3) : random.nextInt();
      memory.setAtIndex(ValueLayout.JAVA_INT, i, word);
    }
    return memory;
  }

  @Provide
  Arbitrary<Range> ranges() {
    return Combinators.combine(
            Arbitraries.integers().between(0, 5),
            Arbitraries.integers().between(1, 3),
            Arbitraries.integers().between(1, 53),
            Arbitraries.integers().between(1, 300),
            Arbitraries.integers().between(0, 9),
            Arbitraries.of(1, 1, 1, 2, 3))
        .as((offset, batch, rows, columns, gap, step) ->
            new Range(
                offset,
                batch,
                rows,
                columns,
                (long) rows * (columns * step + gap),
                (long) columns * step + gap,
                step));
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void gridsOfAnyShape(@ForAll("ranges") Range range, @ForAll long seed) {
    try (var arena = Arena.ofConfined()) {
      var memory = random(arena, range.last() + 1, seed);
      var grid = new SealGrid(range);
      grid.sealAll(memory);
      var found = new long[Seal.SUMS];
      for (int block = 0; block < grid.blocks(); block++) {
        VECTOR.scan(memory, grid, block, found, VECTOR_SPACE);
        assertThat(found)
            .as("block %d of %s", block, range)
            .containsExactly(
                Arrays.copyOfRange(grid.sums(), Seal.SUMS * block, Seal.SUMS * (block + 1)));
      }
    }
  }

  @Property(tries = 300, edgeCases = EdgeCasesMode.NONE)
  void stretchesOfAnyLength(
      @ForAll @IntRange(max = 1200) int words,
      @ForAll @IntRange(max = 9) int from,
      @ForAll long seed) {
    try (var arena = Arena.ofConfined()) {
      var memory = random(arena, words + from, seed);
      var found = new long[Seal.SUMS];
      var expected = new long[Seal.SUMS];
      VECTOR.scan(memory, 4L * from, words, found, VECTOR_SPACE);
      PackedB.scan(memory, 4L * from, words, expected, 0);
      assertThat(found).containsExactly(expected);
    }
  }

  /** Everything that packing sealed: same words, same seals, whoever packs. */
  @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
  void packedSeals(
      @ForAll @IntRange(min = 1, max = 1100) int depth,
      @ForAll @IntRange(min = 1, max = 300) int columns,
      @ForAll @IntRange(min = 1, max = 2) int matrices,
      @ForAll boolean transposed,
      @ForAll boolean heap,
      @ForAll long seed) {
    long rowStride = transposed ? 1 : columns;
    long columnStride = transposed ? depth : 1;
    var range =
        new Range(0, matrices, depth, columns, (long) depth * columns, rowStride, columnStride);
    try (var arena = Arena.ofConfined()) {
      var memory = gaussian(arena, range.last() + 1, seed, heap);
      check(pack(VECTOR, VECTOR_SPACE, memory, range), memory, range);
      check(pack(SCALAR, SCALAR_SPACE, memory, range), memory, range);
    }
  }

  private static MemorySegment gaussian(Arena arena, long words, long seed, boolean heap) {
    var random = new SplittableRandom(seed);
    var memory =
        heap ? MemorySegment.ofArray(new float[(int) words]) : arena.allocate(4 * words, 4);
    for (long i = 0; i < words; i++) {
      memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return memory;
  }

  private static PackedB pack(
      Backend backend, Workspace workspace, MemorySegment memory, Range range) {
    var packed = new PackedB(backend.panelColumns());
    packed.reshape(range.batch(), range.rows(), range.columns());
    for (long matrix = 0; matrix < range.batch(); matrix++) {
      for (long block = 0; block < packed.blocks(); block++) {
        for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
          backend.pack(memory, range, matrix, packed, block, kBlock, true, workspace);
        }
      }
    }
    return packed;
  }

  /** The digests that packing made, of registers or not, are those of the words that lie there. */
  private static void checkDigests(PackedB packed) {
    var sums = new long[Digest.SUMS * packed.lanes()];
    for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
      for (long panel = 0; panel < packed.panelCount(); panel++) {
        long offset = packed.panelOffset(panel, kBlock);
        int words = packed.panelWords(kBlock);
        Digest.of(packed.panels(), offset, words, packed.lanes(), sums, 0);
        assertThat(packed.agrees(panel, kBlock, sums))
            .as("digest of panel %d, k-block %d", panel, kBlock)
            .isTrue();
      }
    }
  }

  /** Check vectors and coefficients, made in float32 lanes, beside those of the scalar backend. */
  @Property(tries = 60, edgeCases = EdgeCasesMode.NONE)
  void packedRecords(
      @ForAll @IntRange(min = 1, max = 700) int depth,
      @ForAll @IntRange(min = 1, max = 300) int columns,
      @ForAll @IntRange(min = -120, max = 120) int exponent,
      @ForAll long seed) {
    var range = new Range(0, 1, depth, columns, 0, columns, 1);
    try (var arena = Arena.ofConfined()) {
      var memory = gaussian(arena, range.last() + 1, seed, false);
      for (long i = 0; i < range.size(); i++) {
        float x = memory.getAtIndex(ValueLayout.JAVA_FLOAT, i);
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, Math.scalb(x, exponent));
      }
      PackedB lanes = pack(VECTOR, VECTOR_SPACE, memory, range);
      PackedB exact = pack(SCALAR, SCALAR_SPACE, memory, range);
      for (long block = 0; block < exact.blocks(); block++) {
        for (int kBlock = 0; kBlock < exact.kBlocks(); kBlock++) {
          compareRecords(lanes, exact, block, kBlock, memory, range);
        }
      }
      lanes.release();
      exact.release();
    }
  }

  private static void compareRecords(
      PackedB lanes, PackedB exact, long block, int kBlock, MemorySegment memory, Range range) {
    long record = exact.recordOffset(0, block, kBlock);
    for (int k = 0; k < exact.depthOf(kBlock); k++) {
      double absolute = 0;
      for (int j = 0; j < exact.columnsOf(block); j++) {
        long word = range.word(0, (long) kBlock * PackedB.DEPTH + k, block * 128 + j);
        absolute += Math.abs(memory.getAtIndex(ValueLayout.JAVA_FLOAT, word));
      }
      // At most 32 terms in a lane, and one more rounding: Higham's gamma, rounded up.
      assertThat(lanes.records().get(ValueLayout.JAVA_FLOAT, record + 4L * k))
          .isCloseTo(
              exact.records().get(ValueLayout.JAVA_FLOAT, record + 4L * k),
              Offset.offset((float) (34 * 0x1p-24 * absolute)));
    }
    for (int grain = 0; grain < PackedB.GRAINS; grain++) {
      long at = record + exact.coefficients() + 8L * grain;
      double is = lanes.records().get(ValueLayout.JAVA_DOUBLE, at);
      double should = exact.records().get(ValueLayout.JAVA_DOUBLE, at);
      // Never less than the squares really are, and hardly more; v^2 has a share of a few percent.
      assertThat(is).isBetween(should * (1 - 1e-6), should * (1 + 1e-5));
    }
  }

  /** A digest, its shadow of the seal, or the seal: whatever is damaged is made anew. */
  @Example
  void whatSpeaksForAPanelIsMendedToo() {
    try (var arena = Arena.ofConfined()) {
      var packed = new PackedB(VECTOR.panelColumns());
      packed.allocate(arena, 40, 5);
      var range = new Range(0, 1, 40, 5, 0, 5, 1);
      VECTOR.pack(random(arena, 200, 9), range, 0, packed, 0, 0, true, VECTOR_SPACE);
      long[] digests = packed.panelDigests();
      long[] seals = packed.panelSeals();
      long[] goodDigests = digests.clone();
      long[] goodSeals = seals.clone();
      for (int i = 0; i < digests.length; i++) {
        digests[i] ^= 1L << (7 * i % 64);
        assertThat(packed.mendPanel(0, 0).syndrome()).isInstanceOf(Seal.Syndrome.SealItself.class);
        assertThat(digests).isEqualTo(goodDigests);
      }
      for (int i = 0; i < Seal.SUMS; i++) {
        seals[i] ^= 1L << (33 + i);
        assertThat(packed.mendPanel(0, 0).syndrome()).isInstanceOf(Seal.Syndrome.SealItself.class);
        assertThat(seals).isEqualTo(goodSeals);
        assertThat(digests).isEqualTo(goodDigests);
      }
    }
  }

  private static void check(PackedB packed, MemorySegment memory, Range range) {
    checkDigests(packed);
    var found = new long[Seal.SUMS];
    for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
      for (long panel = 0; panel < packed.panelCount(); panel++) {
        PackedB.scan(
            packed.panels(),
            packed.panelOffset(panel, kBlock),
            packed.panelWords(kBlock),
            found,
            0);
        assertThat(Seal.same(found, 0, packed.panelSeals(), packed.panelSealAt(panel, kBlock)))
            .as("seal of panel %d, k-block %d of %s", panel, kBlock, range)
            .isTrue();
      }
      for (long matrix = 0; matrix < range.batch(); matrix++) {
        for (long block = 0; block < packed.blocks(); block++) {
          PackedB.scan(
              packed.records(),
              packed.recordOffset(matrix, block, kBlock),
              packed.recordWords(),
              found,
              0);
          int at = packed.recordSealAt(matrix, block, kBlock);
          assertThat(Seal.same(found, 0, packed.recordSeals(), at))
              .as("seal of record %d, k-block %d of %s", block, kBlock, range)
              .isTrue();
        }
      }
    }
    for (long matrix = 0; matrix < range.batch(); matrix++) {
      for (long k = 0; k < range.rows(); k += 1 + k / 3) {
        for (long j = 0; j < range.columns(); j++) {
          assertThat(packed.get(matrix, k, j))
              .isEqualTo(memory.getAtIndex(ValueLayout.JAVA_FLOAT, range.word(matrix, k, j)));
        }
      }
    }
    packed.release();
  }

  /** Two threads scanned the damaged panel before one of them put the word back. */
  @Example
  void twoFindersRepairAPanelOnce() {
    try (var arena = Arena.ofConfined()) {
      var packed = new PackedB(VECTOR.panelColumns());
      packed.allocate(arena, 20, 5);
      var source = random(arena, 100, 9);
      var range = new Range(0, 1, 20, 5, 0, 5, 1);
      VECTOR.pack(source, range, 0, packed, 0, 0, true, VECTOR_SPACE);
      int before = packed.panels().getAtIndex(ValueLayout.JAVA_INT, 7);
      packed.panels().setAtIndex(ValueLayout.JAVA_INT, 7, before ^ 0x40_0000);
      var first = packed.mendPanel(0, 0);
      assertThat(first.done()).isTrue();
      assertThat(first.changedBits()).isEqualTo(0x40_0000);
      assertThat(packed.mendPanel(0, 0).syndrome()).isInstanceOf(Seal.Syndrome.Intact.class);
      assertThat(packed.panels().getAtIndex(ValueLayout.JAVA_INT, 7)).isEqualTo(before);
    }
  }
}
