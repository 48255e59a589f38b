package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;

/**
 * Room on the device for check vectors of keys and values, an entry for each block of a head: those
 * of a call, or those that are kept beside the pages of a cache (see {@code attention-checks.c}).
 */
final class CheckVectors implements Parts.Part {
  /**
   * Floats of a part of a block's values: a sum for each key, two bounds for either half, and the
   * sum of all words.
   */
  private static final int PART_OF_VALUES = AttentionProblem.BLOCK + 8;

  /**
   * Those of a region's heads from some block on.
   *
   * @param place number of the first head's first entry
   * @param pitch entries from there to the next head's
   */
  record Placed(DeviceObject ofKeys, DeviceObject ofValues, long place, long pitch) {
    /** The same from so many blocks later on. */
    Placed later(long blocks) {
      return new Placed(ofKeys, ofValues, place + blocks, pitch);
    }

    /** Appends where a kernel finds them. */
    DeviceKernel describe(DeviceKernel kernel) {
      return kernel.number(place).number(pitch);
    }
  }

  /**
   * Bytes of an entry.
   *
   * @param ofKeys a check vector, a bound and the sum of all words, to whole vectors of four floats
   * @param ofValues all parts of columns
   */
  record Entry(long ofKeys, long ofValues) {
    /** Those of keys of a size, and of values whose columns come in so many parts. */
    static Entry of(int depth, long parts) {
      return new Entry(
          4L * Float.BYTES * Math.ceilDiv(depth + 2, 4), Float.BYTES * parts * PART_OF_VALUES);
    }
  }

  private final DeviceBuffer ofKeys;
  private final DeviceBuffer ofValues;

  CheckVectors(DeviceContext context) {
    ofKeys = new DeviceBuffer(context);
    ofValues = new DeviceBuffer(context);
  }

  /** Room for so many entries; what was there before is lost if there was less. */
  Placed room(long entries, Entry entry, long place, long pitch) {
    return new Placed(
        ofKeys.atLeast(entries * entry.ofKeys),
        ofValues.atLeast(entries * entry.ofValues),
        place,
        pitch);
  }

  @Override
  public void close() {
    ofKeys.close();
    ofValues.close();
  }
}
