package dev.regolith.kernels;

import dev.regolith.kernels.backend.PackedB;

/**
 * A weight matrix {@code [outFeatures, inFeatures]}, packed once for use as the right operand
 * {@code transposed()} = {@code [inFeatures, outFeatures]}, together with check vectors and seals
 * made at that moment from the caller's data. The caller's tensor is not needed afterwards.
 *
 * <p>Immutable but for repairs of its own memory; used by any number of threads at once. Lives as
 * long as the arena it was packed into.
 */
public final class PackedMatrix {
  private final PackedB packed;
  private final boolean transposed;

  PackedMatrix(PackedB packed, boolean transposed) {
    this.packed = packed;
    this.transposed = transposed;
  }

  /** The same matrix with rows and columns exchanged; no copy. */
  public PackedMatrix transposed() {
    return new PackedMatrix(packed, !transposed);
  }

  /** Number of rows. */
  public long rows() {
    return transposed ? packed.depth() : packed.columns();
  }

  /** Number of columns. */
  public long columns() {
    return transposed ? packed.columns() : packed.depth();
  }

  PackedB packed() {
    return packed;
  }

  PackedB asRightOperand() {
    if (!transposed) {
      throw new IllegalArgumentException(
          "the matrix was packed as [outFeatures, inFeatures] = [%d, %d], to be multiplied by as"
                  .formatted(rows(), columns())
              + " weights.transposed(); to use a [K, N] matrix as it is, pack"
              + " matrix.transposed() and pass the packed matrix's transposed()");
    }
    return packed;
  }

  @Override
  public String toString() {
    return "PackedMatrix[%d, %d]".formatted(rows(), columns());
  }
}
