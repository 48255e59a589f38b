package dev.regolith.kernels.backend.cuda;

import dev.regolith.kernels.backend.device.DeviceMatrix;
import dev.regolith.kernels.backend.device.DeviceObject;
import dev.regolith.kernels.backend.device.VendorGemm;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Products of cuBLAS in a stream. The library knows column-major matrices: what is row-major here
 * is the transpose of one, and C' = B' A'.
 */
final class CuBlasGemm implements VendorGemm {
  private final CudaDriver driver;
  private final DeviceObject library;
  private final Arena arena;
  private final MemorySegment factors;

  CuBlasGemm(CudaDriver driver, CudaQueue queue) {
    this.driver = driver;
    library = driver.make(() -> CuBlas.create(queue.stream()), CuBlas::destroy);
    arena = Arena.ofShared();
    factors = arena.allocate(ValueLayout.JAVA_FLOAT, 2);
  }

  String version() {
    var version = new String[1];
    driver.within(() -> version[0] = CuBlas.version(library.handle()));
    return version[0];
  }

  @Override
  public void multiply(
      long rows,
      long columns,
      long depth,
      float alpha,
      DeviceMatrix a,
      DeviceMatrix b,
      float beta,
      DeviceMatrix c) {
    // Read by the call itself, before it returns.
    factors.setAtIndex(ValueLayout.JAVA_FLOAT, 0, alpha);
    factors.setAtIndex(ValueLayout.JAVA_FLOAT, 1, beta);
    driver.within(() ->
        CuBlas.multiply(
            library.handle(),
            columns,
            rows,
            depth,
            factors,
            address(b),
            b.pitch(),
            address(a),
            a.pitch(),
            address(c),
            c.pitch()));
  }

  private static long address(DeviceMatrix matrix) {
    return matrix.memory().handle() + Float.BYTES * matrix.first();
  }

  @Override
  public void close() {
    library.close();
    arena.close();
  }
}
