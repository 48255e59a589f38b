package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.Residence.Outcome;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;

/**
 * What an attention read and left in a device's memory, summed up there once all of its regions are
 * computed: the queries, after their last use, and both results. The host compares the sums.
 */
final class ResidentScan implements DeviceWorkspace.Queued {
  private final Parts parts = new Parts();
  private final DeviceQueue queue;
  private final MatrixScan scan;

  /**
   * Scans of one thread.
   *
   * @param products whose kernels sum up matrices
   */
  ResidentScan(DeviceContext context, GemmProgram products) {
    try {
      queue = parts.add(new DeviceQueue(context));
      scan = parts.add(new MatrixScan(context, products, queue));
    } catch (RuntimeException e) {
      parts.close();
      throw e;
    }
  }

  @Override
  public DeviceQueue queue() {
    return queue;
  }

  /**
   * Verifies an attention.
   *
   * @param ofQueries what the queries are held against
   * @param ofResult receives the sums of the result, if both are right
   * @param launch a number that no other launch has had
   */
  Outcome verify(ResidentWords words, SealGrid ofQueries, SealGrid ofResult, long launch) {
    long blocks = ofResult.blocks();
    long queries = 2 * blocks;
    if (Probe.ON) {
      long bytes = 4 * ofQueries.range().size();
      queue.probe(ProbePoint.DEVICE_A_LAST_USE, words.queries(), 0, bytes);
    }
    scan.open(queries + ofQueries.blocks(), launch);
    scan.run(words.result(), ofResult.range(), 0);
    scan.run(words.repeated(), ofResult.range(), blocks);
    scan.run(words.queries(), ofQueries.range(), queries);
    DeviceSums sums = scan.download();
    for (long block = 0; block < ofQueries.blocks(); block++) {
      if (!sums.isSealed(ofQueries.sums(), block, queries + block)) {
        return Outcome.INPUT_DIFFERS;
      }
    }
    if (!sums.areSame(0, blocks, blocks)) {
      return Outcome.DIFFERS;
    }
    for (long block = 0; block < blocks; block++) {
      sums.seal(ofResult.sums(), block, block);
    }
    return Outcome.DONE;
  }

  @Override
  public void close() {
    parts.close();
  }
}
