package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Signs;
import java.util.Locale;

/** Compiled kernels, cut to a device: those of one source, and what all sources share. */
final class KernelProgram implements Parts.Part {
  /** Matrix multiplication. */
  static final String GEMM = "gemm.c";

  /** Attention. */
  static final String ATTENTION = "attention.c";

  /** Row operators. */
  static final String ROWS = "rows.c";

  /** Evidence of products. */
  static final String EVIDENCE = "evidence.c";

  private static final String COMMON = "common.c";
  private static final String FUNCTIONS = "functions.c";

  private final GemmTile tile;
  private final Driver driver;
  private final DeviceContext.Program program;

  /**
   * Compiles a program, or takes it from the cache.
   *
   * @param name {@link #GEMM} or another of these
   * @param options beside those of the tile
   */
  KernelProgram(
      DeviceContext context, String name, GemmTile tile, int panelColumns, String options) {
    this.tile = tile;
    this.driver = context.driver();
    this.program =
        context.program(
            source(context.api(), name), tile.options(panelColumns, PackedB.DEPTH) + options);
  }

  /** Which program this is, and where, for {@link Trial#passes}. */
  Object question() {
    return program.question();
  }

  GemmTile tile() {
    return tile;
  }

  /** A kernel with arguments of its own. */
  DeviceKernel newKernel(String name) {
    return new DeviceKernel(driver.newKernel(program.object(), name));
  }

  /** A source, behind what makes the API's own language of it. */
  static String source(DeviceApi api, String name) {
    return KernelSources.read(api.getClass(), api.prelude())
        + KernelSources.read(KernelProgram.class, COMMON)
        + (name.equals(GEMM) ? "" : KernelSources.read(KernelProgram.class, FUNCTIONS))
        + (name.equals(ATTENTION) ? attention() : KernelSources.read(KernelProgram.class, name));
  }

  /**
   * Signs of the columns of so many check blocks, as the compiler is told: a bit each, 64 a word.
   */
  static String signs(int blocks) {
    int words = CheckBlock.COLUMNS / Long.SIZE;
    var options = new StringBuilder();
    for (int i = 0; i < blocks * words; i++) {
      long bits = 0;
      for (int j = 0; j < Long.SIZE; j++) {
        bits |= Signs.of(i / words, i % words * Long.SIZE + j) > 0 ? 1L << j : 0;
      }
      options.append(String.format(Locale.ROOT, " -DSIGN_%d=0x%xUL", i, bits));
    }
    return options.toString();
  }

  /** Spans of keys are attended to by one of a few kernels, which have a source in common. */
  private static String attention() {
    return KernelSources.read(KernelProgram.class, "attention-checks.c")
        + KernelSources.read(KernelProgram.class, ATTENTION)
        + spans("attend_spans", 0, 0)
        + spans("attend_and_check_spans", 1, 0)
        + "#if GROUP == 1 && GROUP_COLUMNS == PANEL\n"
        + spans("attend_check_and_scan_spans", 1, 1)
        + "#endif\n"
        + KernelSources.read(KernelProgram.class, "attention-merge.c");
  }

  private static String spans(String name, int checking, int scanning) {
    return "#define ATTEND_SPANS %s\n#define CHECKING %d\n#define SCANNING %d\n"
            .formatted(name, checking, scanning)
        + KernelSources.read(KernelProgram.class, "attention-spans.c")
        + "#undef ATTEND_SPANS\n#undef CHECKING\n#undef SCANNING\n";
  }

  @Override
  public void close() {
    program.object().close();
  }
}
