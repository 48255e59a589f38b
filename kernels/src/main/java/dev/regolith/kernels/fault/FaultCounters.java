package dev.regolith.kernels.fault;

/**
 * What a session counted since it was opened.
 *
 * @param calls operator calls that computed under protection
 * @param byDevice those of them whose result was accepted, in whole or in part, on evidence that an
 *     accelerator made ({@link EvidenceLevel#DEVICE})
 * @param checks rows of check blocks whose evidence was compared; of small products, columns
 * @param refined checks whose tolerance was worked out exactly, since the estimate was exceeded,
 *     or, of small products, columns that a plain loop computed for that reason
 * @param corrected incidents put right
 * @param refuted incidents that were false alarms
 * @param detected incidents left as they were
 * @param uncorrectable incidents that ended in an exception
 * @param duplicated check blocks whose evidence was not finite (inputs with NaN or infinity), or,
 *     of small products, whose columns did not fit the model of tolerances, and that were verified
 *     by computing them a second time
 */
public record FaultCounters(
    long calls,
    long byDevice,
    long checks,
    long refined,
    long corrected,
    long refuted,
    long detected,
    long uncorrectable,
    long duplicated) {}
