package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;

/** The compiled kernels of matrix multiplication, cut to a device. */
final class GemmProgram implements Parts.Part {
  private static final String SOURCE = "gemm.c";

  private final GemmTile tile;
  private final Driver driver;
  private final DeviceObject program;

  GemmProgram(DeviceContext context, GemmTile tile, int panelColumns) {
    this.tile = tile;
    this.driver = context.driver();
    this.program =
        context.program(source(context.api()), tile.options(panelColumns, PackedB.DEPTH));
  }

  GemmTile tile() {
    return tile;
  }

  /** A kernel with arguments of its own. */
  DeviceObject newKernel(String name) {
    return driver.newKernel(program, name);
  }

  /** The source of the kernels, behind what makes the API's own language of it. */
  static String source(DeviceApi api) {
    return KernelSources.read(api.getClass(), api.prelude())
        + KernelSources.read(GemmProgram.class, SOURCE);
  }

  @Override
  public void close() {
    program.close();
  }
}
