package dev.regolith.kernels.fault;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One incident: everything that a call found damaged, and what was done about it.
 *
 * @param operator name of the operator, such as {@code gemm}
 * @param resolution how it ended
 * @param block the smallest rectangle of the output that holds all doubtful blocks; null if the
 *     output was never in doubt
 * @param blocks number of check blocks that were in doubt
 * @param worst the evidence that disagreed most; null if all evidence agreed and only an exact code
 *     raised the alarm
 * @param findings what the trace found; what it could not locate, once for every component
 * @param steps steps of the ladder that were taken, in order
 * @param time when the report was made
 */
public record FaultReport(
    String operator,
    Resolution resolution,
    @Nullable Block block,
    long blocks,
    @Nullable Disagreement worst,
    List<Finding> findings,
    List<Step> steps,
    Instant time) {
  /** Keeps copies of the lists. */
  public FaultReport {
    findings = List.copyOf(findings);
    steps = List.copyOf(steps);
  }

  /** One line for a log. */
  public String summary() {
    var text = new StringBuilder(operator).append(": ").append(resolution);
    if (block != null) {
      text.append(", ").append(blocks).append(" check block(s) within ").append(block);
    }
    if (worst != null) {
      text.append(
          ", residual %.3g against a tolerance of %.3g in row %d"
              .formatted(worst.residual(), worst.tolerance(), worst.row()));
    }
    var counts = new LinkedHashMap<String, Integer>();
    for (Finding finding : findings) {
      counts.merge(finding.component() + (finding.repaired() ? " repaired" : ""), 1, Integer::sum);
    }
    counts.forEach(
        (what, count) -> text.append(", ").append(what).append(count > 1 ? " x " + count : ""));
    return text.toString();
  }
}
