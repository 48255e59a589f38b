package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.RowKernels;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The compiled kernels of row operators.
 *
 * @param products what sums blocks up
 * @param items that share a row
 */
record RowsProgram(KernelProgram kernels, GemmProgram products, int items) implements Parts.Part {
  private static final int MOST = 128;

  /**
   * Compiles them, if the device has the host's bits.
   *
   * @param announce told why not
   */
  static Optional<RowsProgram> open(
      DeviceContext context, GemmProgram products, Backend host, Consumer<String> announce) {
    return Trial.open(
        () -> compile(context, products, host.panelColumns()),
        program -> program.kernels().question(),
        program -> program.hasRightBits(context, host),
        "row operators have other bits there",
        "the CPU computes them",
        announce);
  }

  private boolean hasRightBits(DeviceContext context, Backend host) {
    try (var sample = new SampleRows(host.newRowKernels())) {
      return sample.isRight(context, this);
    }
  }

  /** Compiles them: for a CPU's work-item a row of its own, for others as many as are useful. */
  static RowsProgram compile(DeviceContext context, GemmProgram products, int panelColumns) {
    DeviceInfo device = context.device();
    int items =
        device.kind() == DeviceInfo.Kind.CPU
            ? 1
            : (int) Math.min(MOST, Long.highestOneBit(device.workGroup()));
    String options =
        String.format(Locale.ROOT, " -DROW_ITEMS=%d -DSUM_LANES=%d", items, RowKernels.LANES);
    var kernels =
        new KernelProgram(context, KernelProgram.ROWS, products.tile(), panelColumns, options);
    return new RowsProgram(kernels, products, items);
  }

  @Override
  public void close() {
    kernels.close();
  }
}
