package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.EvidenceSink;
import dev.regolith.kernels.backend.GemmProblem;
import dev.regolith.kernels.backend.Region;
import dev.regolith.kernels.checksum.Evidence;
import dev.regolith.kernels.fault.Component;
import java.util.List;

/** Keeps what exact codes found; evidence that disagrees counts as arithmetic. */
record SuspectsOnly(List<Component> suspects) implements EvidenceSink {
  @Override
  public void evidence(
      GemmProblem problem, Region region, long row, int rows, Evidence evidence, int evidenceRow) {
    for (int i = 0; i < rows * evidence.checks(); i++) {
      int at = evidence.at(evidenceRow, 0) + i;
      if (!(Math.abs(evidence.shown[at] - evidence.predicted[at]) <= evidence.tolerance[at])) {
        suspects.add(Component.ARITHMETIC);
      }
    }
  }

  @Override
  public void suspect(GemmProblem problem, Region region, Component component) {
    suspects.add(component);
  }

  @Override
  public void inputDiffers(GemmProblem problem, Region region, long block) {
    suspects.add(Component.OPERAND_A);
  }

  @Override
  public void panelDiffers(GemmProblem problem, Region region, long panel, int kBlock) {
    suspects.add(Component.PACKED_B);
  }

  @Override
  public void recordDiffers(GemmProblem problem, Region region, long block, int kBlock) {
    suspects.add(Component.CHECK_VECTOR);
  }
}
