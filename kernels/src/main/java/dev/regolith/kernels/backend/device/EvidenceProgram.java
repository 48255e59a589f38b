package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Signs;
import dev.regolith.kernels.checksum.Tolerance;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * The compiled kernels that make the evidence of products.
 *
 * @param vectorLanes float32 lanes in which the host added check vectors up; 0 for double
 */
record EvidenceProgram(KernelProgram kernels, int vectorLanes) implements Parts.Part {
  /** Rows that a work-group predicts. */
  static final int ROWS = 4;

  /**
   * Compiles them, if the device has double precision and makes the evidence that the host makes.
   *
   * @param announce told why not
   */
  static Optional<EvidenceProgram> open(
      DeviceContext context, GemmProgram products, Backend host, Consumer<String> announce) {
    return Trial.open(
        () -> compile(context, products.tile(), host),
        program -> List.of(program.kernels().question(), program.vectorLanes()),
        program -> program.isRight(context, products, host),
        "its evidence is not the host's",
        "the CPU makes the evidence of products",
        announce);
  }

  private boolean isRight(DeviceContext context, GemmProgram products, Backend host) {
    try (Workspace workspace = host.newWorkspace();
        var sample = new SampleEvidence(host, workspace)) {
      return sample.isRight(context, products, this, workspace);
    }
  }

  /** Compiles them for a tile. */
  static EvidenceProgram compile(DeviceContext context, GemmTile tile, Backend host) {
    var options = new StringBuilder();
    options.append(
        String.format(
            Locale.ROOT,
            " -DGRAIN=%d -DGRAINS=%d -DRECORD_TAIL=%d -DCHECK_ROWS=%d",
            Tolerance.GRAIN,
            PackedB.GRAINS,
            PackedB.RECORD_TAIL,
            ROWS));
    options.append(KernelProgram.signs(Signs.PATTERNS));
    return new EvidenceProgram(
        new KernelProgram(
            context, KernelProgram.EVIDENCE, tile, host.panelColumns(), options.toString()),
        host.checkVectorLanes());
  }

  @Override
  public void close() {
    kernels.close();
  }
}
