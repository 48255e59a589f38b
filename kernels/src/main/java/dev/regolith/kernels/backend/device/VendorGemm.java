package dev.regolith.kernels.backend.device;

/** Products of a vendor's library, enqueued like kernels; for one thread at a time. */
public interface VendorGemm extends Parts.Part {
  /**
   * C = alpha A B + beta C in float32, with float32 products and sums in any order; C is not read
   * if beta is 0.
   *
   * @param rows of A and C
   * @param columns of B and C
   * @param depth columns of A, rows of B; at least 1, like the others
   */
  void multiply(
      long rows,
      long columns,
      long depth,
      float alpha,
      DeviceMatrix a,
      DeviceMatrix b,
      float beta,
      DeviceMatrix c);
}
