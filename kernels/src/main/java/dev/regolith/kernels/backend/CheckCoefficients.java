package dev.regolith.kernels.backend;

import dev.regolith.kernels.checksum.Tolerance;
import java.util.Arrays;

/**
 * Tolerance coefficients of one check record, collected while its check vector is made: for every
 * grain of steps the largest row of B, weighted by how many partial sums, and sums of the check
 * itself, it is part of (docs/numerics.md). Reused from record to record.
 */
public final class CheckCoefficients {
  private final double[] energies = new double[PackedB.GRAINS];
  private final double[] vectors = new double[PackedB.GRAINS];
  private double plain;
  private int depth;
  private long stepsLeft;

  /** Starts a record. */
  public CheckCoefficients open(PackedB b, int kBlock) {
    Arrays.fill(energies, 0);
    Arrays.fill(vectors, 0);
    plain = 0;
    depth = b.depthOf(kBlock);
    stepsLeft = b.depth() - (long) kBlock * PackedB.DEPTH;
    return this;
  }

  /** Adds a row of B: its signed sum, and the sum of its squares. */
  public void add(int k, double signed, double squares) {
    int grain = k / Tolerance.GRAIN;
    energies[grain] = Math.max(energies[grain], squares);
    vectors[grain] = Math.max(vectors[grain], signed * signed);
  }

  /** Adds plain sums of rows. */
  public void addPlain(double sum) {
    plain += sum;
  }

  /** Whether the largest squares of every grain so far lie between two bounds. */
  public boolean within(double smallest, double largest) {
    boolean within = true;
    for (int grain = 0; grain * Tolerance.GRAIN < depth; grain++) {
      within &= energies[grain] >= smallest && energies[grain] <= largest;
    }
    return within;
  }

  /** The coefficient of a grain; 0 beyond the depth. */
  public double ofGrain(int grain) {
    double steps = stepsLeft - (double) grain * Tolerance.GRAIN;
    // Backends that add up in double precision need neither weight; they only widen.
    steps += Tolerance.SHOWN_WEIGHT + Tolerance.VECTOR_WEIGHT;
    return energies[grain] * steps + Tolerance.PREDICTION_WEIGHT * vectors[grain];
  }

  /** The mean sum of a row. */
  public double mean() {
    return depth == 0 ? 0 : plain / depth;
  }
}
