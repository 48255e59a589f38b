package dev.regolith.kernels.fault;

/**
 * What became of one protected call that has a result.
 *
 * @param operator name of the operator, such as {@code gemm}
 * @param status what the call returned
 * @param evidence who made the evidence of its result: {@link EvidenceLevel#DEVICE} if a part of it
 *     rests, or rested before doubts were settled, on what an accelerator said of itself
 */
public record CallReport(String operator, Status status, EvidenceLevel evidence) {}
