package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.checksum.Tolerance;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/** The compiled kernels that make the evidence of products. */
record EvidenceProgram(KernelProgram kernels) implements Parts.Part {
  /** Rows that a work-group predicts. */
  static final int ROWS = 4;

  /**
   * Compiles them, if the device has double precision.
   *
   * @param announce told why not
   */
  static Optional<EvidenceProgram> open(
      DeviceContext context, GemmTile ofProducts, Backend host, Consumer<String> announce) {
    try {
      return Optional.of(compile(context, ofProducts, host.panelColumns()));
    } catch (DeviceException e) {
      announce.accept(e.getMessage() + "; the CPU makes the evidence of products");
      return Optional.empty();
    }
  }

  /** Compiles them for a tile. */
  static EvidenceProgram compile(DeviceContext context, GemmTile tile, int panelColumns) {
    var options = new StringBuilder();
    options.append(
        String.format(
            Locale.ROOT,
            " -DGRAIN=%d -DGRAINS=%d -DRECORD_TAIL=%d -DCHECK_ROWS=%d",
            Tolerance.GRAIN,
            PackedB.GRAINS,
            PackedB.RECORD_TAIL,
            ROWS));
    int words = CheckBlock.COLUMNS / Long.SIZE;
    for (int i = 0; i < Signs.PATTERNS * words; i++) {
      long bits = 0;
      for (int j = 0; j < Long.SIZE; j++) {
        bits |= Signs.of(i / words, i % words * Long.SIZE + j) > 0 ? 1L << j : 0;
      }
      options.append(String.format(Locale.ROOT, " -DSIGN_%d=0x%xUL", i, bits));
    }
    return new EvidenceProgram(
        new KernelProgram(context, KernelProgram.EVIDENCE, tile, panelColumns, options.toString()));
  }

  @Override
  public void close() {
    kernels.close();
  }
}
