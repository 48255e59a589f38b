package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.probe.ProbePoint;

/**
 * A run of a region; of two, one.
 *
 * @param checked whether it is held against what was predicted
 * @param scans whether keys and values are summed up while they are read
 * @param turned whether its work-groups do what others do in the other run
 * @param place of the rows' sums
 * @param stamp of everything that it makes on its way
 * @param launch of its sums
 * @param command what is lost if one of its kernels does not run
 * @param ofQueries the probe of scaled queries, and {@code ofSpans} of what is merged
 */
record AttentionRun(
    boolean checked,
    boolean scans,
    boolean turned,
    long place,
    long stamp,
    long launch,
    ProbePoint command,
    ProbePoint ofQueries,
    ProbePoint ofSpans) {
  /** Numbers that follow each other end up far apart: what is added to one leads to no other. */
  static long mixed(long number) {
    return (number * 0x9E3779B97F4A7C15L) >>> Integer.SIZE;
  }

  static AttentionRun first(long launch, boolean checked, boolean scans) {
    return new AttentionRun(
        checked,
        scans,
        false,
        0,
        mixed(2 * launch),
        launch,
        ProbePoint.DEVICE_LAUNCH,
        ProbePoint.DEVICE_QUERIES,
        ProbePoint.DEVICE_SPANS);
  }

  static AttentionRun repeated(long launch, long place) {
    return new AttentionRun(
        false,
        false,
        true,
        place,
        mixed(2 * launch + 1),
        launch,
        ProbePoint.DEVICE_EVIDENCE,
        ProbePoint.DEVICE_REPEATED,
        ProbePoint.DEVICE_REPEATED);
  }
}
