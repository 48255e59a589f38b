package dev.regolith.kernels;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.PathSquares;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.backend.vector.VectorGemm;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Range;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * Measures how tight the tolerance is: the evidence of the real kernel on random inputs, without
 * the guard. The tables of docs/numerics.md come from {@link #main}.
 */
final class ToleranceStatistics {
  /** What the elements of A and B are drawn from. */
  enum Inputs {
    UNIFORM("U(-1,1)") {
      @Override
      float draw(RandomGenerator random) {
        return 2 * random.nextFloat() - 1;
      }
    },
    NORMAL("N(0,1)") {
      @Override
      float draw(RandomGenerator random) {
        return (float) random.nextGaussian();
      }
    },
    SHIFTED("N(1,1)") {
      @Override
      float draw(RandomGenerator random) {
        return (float) (1 + random.nextGaussian());
      }
    };

    private final String title;

    Inputs(String title) {
      this.title = title;
    }

    abstract float draw(RandomGenerator random);

    @Override
    public String toString() {
      return title;
    }
  }

  static final List<Integer> DEPTHS = List.of(256, 512, 1024, 2048, 4096);

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
  private static final int ROWS = 480;
  private static final int COLUMNS = 9 * CheckBlock.COLUMNS;
  private static final int BITS = 32;

  /** One check in so many has its exact tolerance worked out, which takes as long as plain Java. */
  private static final int EXACT = 101;

  private ToleranceStatistics() {}

  /** What a number of clean checks showed, and what single flips in C would have shown. */
  static final class Sample implements EvidenceSink {
    private final SplittableRandom random;
    private long checks;
    private long alarms;
    private double largestResidual;
    private double largestTolerance;
    private double largestReach;
    private double exactShare;
    private double residualSquares;
    private double toleranceSquares;
    private double outputSquares;
    private long outputs;
    private final long[] flips = new long[BITS];
    private final long[] flagged = new long[BITS];

    private Sample(long seed) {
      random = new SplittableRandom(seed);
    }

    /** Number of checks. */
    long checks() {
      return checks;
    }

    /** Clean checks above their tolerance. */
    long alarms() {
      return alarms;
    }

    /** Largest tolerance over largest residual. */
    double tightness() {
      return largestTolerance / largestResidual;
    }

    /** Largest residual in standard deviations of all residuals. */
    double spread() {
      return largestResidual / Math.sqrt(residualSquares / checks);
    }

    /** Tolerance in standard deviations of the residual. */
    double sigmas() {
      return Math.sqrt(toleranceSquares / residualSquares);
    }

    /** Root mean square of C. */
    double rms() {
      return Math.sqrt(outputSquares / outputs);
    }

    /** Typical tolerance, relative to rms C. */
    double relativeTolerance() {
      return Math.sqrt(toleranceSquares / checks) / rms();
    }

    /** Largest exact tolerance over estimated tolerance, of one check in {@link #EXACT}. */
    double exactShare() {
      return exactShare;
    }

    /**
     * The smallest error of one element that every check would have flagged, relative to rms C: an
     * error e moves a residual r to r + e or r - e, so it is flagged for certain beyond t + |r|.
     * The guard takes the larger of the estimated and the exact tolerance.
     */
    double alwaysFlagged() {
      return largestReach * Math.max(1, exactShare) / rms();
    }

    /** Share of flips of a bit of C that the residual alone flagged. */
    double rate(int bit) {
      return (double) flagged[bit] / flips[bit];
    }

    @Override
    public void evidence(GemmProblem p, Region region, long row, int rows, Evidence e, int first) {
      for (int i = 0; i < rows; i++) {
        for (int check = 0; check < e.checks(); check++) {
          int at = e.at(first + i, check);
          check(e.shown[at] - e.predicted[at], e.tolerance[at]);
          long block = region.block + e.firstBlock(check);
          int blocks = e.blocksOf(check);
          if (checks % EXACT == 0) {
            double exact = PathSquares.tolerance(p, 0, row + i, block, blocks, e);
            exactShare = Math.max(exactShare, exact / e.tolerance[at]);
          }
          long c = p.cRow(0, row + i) + 4 * block * CheckBlock.COLUMNS;
          squares(p.c, c, blocks * CheckBlock.COLUMNS);
          flip(p.c, c, block, blocks, e.shown[at] - e.predicted[at], e.tolerance[at]);
        }
      }
    }

    private void check(double residual, double tolerance) {
      double size = Math.abs(residual);
      checks++;
      alarms += size <= tolerance ? 0 : 1;
      largestResidual = Math.max(largestResidual, size);
      largestTolerance = Math.max(largestTolerance, tolerance);
      largestReach = Math.max(largestReach, tolerance + size);
      residualSquares += residual * residual;
      toleranceSquares += tolerance * tolerance;
    }

    private void squares(MemorySegment memory, long from, int columns) {
      for (int j = 0; j < columns; j++) {
        double x = memory.get(FLOAT, from + 4L * j);
        outputSquares += x * x;
      }
      outputs += columns;
    }

    private void flip(
        MemorySegment memory,
        long from,
        long block,
        int blocks,
        double residual,
        double tolerance) {
      for (int bit = 0; bit < BITS; bit++) {
        int column = random.nextInt(blocks * CheckBlock.COLUMNS);
        float before = memory.get(FLOAT, from + 4L * column);
        float after = Float.intBitsToFloat(Float.floatToRawIntBits(before) ^ 1 << bit);
        double moved = residual + signOf(block, column) * ((double) after - before);
        flips[bit]++;
        flagged[bit] += Math.abs(moved) <= tolerance ? 0 : 1; // NaN is flagged, as in the guard
      }
    }

    private static double signOf(long block, int column) {
      return Signs.of(block + column / CheckBlock.COLUMNS, column % CheckBlock.COLUMNS);
    }

    @Override
    public void inputDiffers(GemmProblem p, Region region, long block) {
      throw new AssertionError("the seal of A differs");
    }

    @Override
    public void suspect(GemmProblem p, Region region, Component component) {
      throw new AssertionError("a digest differs: " + component);
    }

    @Override
    public void panelDiffers(GemmProblem p, Region region, long panel, int kBlock) {
      throw new AssertionError("the seal of a panel differs");
    }

    @Override
    public void recordDiffers(GemmProblem p, Region region, long block, int kBlock) {
      throw new AssertionError("the seal of a check record differs");
    }
  }

  /** At least {@code checks} clean checks of products of depth K. */
  static Sample measure(Inputs inputs, int depth, long checks, long seed) {
    var random = new SplittableRandom(seed);
    var sample = new Sample(random.nextLong());
    var backend = new VectorGemm();
    var workspace = backend.newWorkspace();
    try (var arena = Arena.ofConfined()) {
      MemorySegment b = arena.allocate(4L * depth * COLUMNS, 64);
      var bRange = new Range(0, 1, depth, COLUMNS, 0, COLUMNS, 1);
      var packed = new PackedB(backend.panelColumns());
      packed.allocate(arena, depth, COLUMNS);
      var p = new GemmProblem();
      p.batch = 1;
      p.rows = ROWS;
      p.columns = COLUMNS;
      p.depth = depth;
      p.alpha = 1;
      p.beta = 0;
      p.verify = true;
      p.a = arena.allocate(4L * ROWS * depth, 64);
      p.aStride = 4L * depth;
      p.b = packed;
      p.c = arena.allocate(4L * ROWS * COLUMNS, 64);
      p.cStride = 4L * COLUMNS;
      var region = new Region();
      while (sample.checks < checks) {
        fill(p.a, inputs, random);
        fill(b, inputs, random);
        for (long block = 0; block < packed.blocks(); block++) {
          for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
            backend.pack(b, bRange, 0, packed, block, kBlock, true, workspace);
          }
        }
        for (int row = 0; row < ROWS; row += Region.MAX_ROWS) {
          int rows = Math.min(Region.MAX_ROWS, ROWS - row);
          backend.run(p, region.set(0, row, rows, 0, (int) packed.blocks()), workspace, sample);
        }
      }
    }
    return sample;
  }

  private static void fill(MemorySegment memory, Inputs inputs, RandomGenerator random) {
    for (long at = 0; at < memory.byteSize(); at += 4) {
      memory.set(FLOAT, at, inputs.draw(random));
    }
  }

  /** Prints the tables; the number of clean checks per case is the only argument. */
  public static void main(String[] arguments) {
    long checks = arguments.length == 0 ? 100_000 : Long.parseLong(arguments[0]);
    var flipped = new ArrayList<Sample>();
    System.out.printf("Clean checks per case: %,d or a few more%n%n", checks);
    System.out.println(
        "| inputs | K | largest tolerance / largest residual | tolerance in sigma of the residual |"
            + " largest residual in sigma | exact / estimated tolerance, at most |"
            + " tolerance / rms C | always flagged / rms C | alarms |");
    System.out.println("|---|---|---|---|---|---|---|---|---|");
    for (Inputs inputs : Inputs.values()) {
      for (int depth : DEPTHS) {
        Sample sample = measure(inputs, depth, checks, 31L * depth + inputs.toString().hashCode());
        System.out.printf(
            "| %s | %d | %.2f | %.2f | %.2f | %.2f | %.2e | %.2e | %d |%n",
            inputs,
            depth,
            sample.tightness(),
            sample.sigmas(),
            sample.spread(),
            sample.exactShare(),
            sample.relativeTolerance(),
            sample.alwaysFlagged(),
            sample.alarms());
        if (inputs == Inputs.NORMAL && (depth == 256 || depth == 1024 || depth == 4096)) {
          flipped.add(sample);
        }
      }
    }
    System.out.println();
    System.out.println("Single flips in C flagged by the residual alone, N(0,1), percent:");
    System.out.println("| bit | K = 256 | K = 1024 | K = 4096 |");
    System.out.println("|---|---|---|---|");
    for (int bit = BITS - 1; bit >= 0; bit--) {
      System.out.printf("| %d |", bit);
      for (Sample sample : flipped) {
        System.out.printf(" %.2f |", 100 * sample.rate(bit));
      }
      System.out.println();
    }
  }
}
