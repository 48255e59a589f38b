package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.checksum.CheckBlock;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.ProbePoint;

/** Has dense matrices summed up in a device's memory, check block by check block, for the host. */
final class MatrixScan implements Parts.Part {
  private final DeviceQueue queue;
  private final DeviceKernel kernel;
  private final DeviceSums sums;
  private final int scanners;
  private long launch;

  /**
   * Scans in the order of a queue.
   *
   * @param products which have the kernel
   */
  MatrixScan(DeviceContext context, GemmProgram products, DeviceQueue queue) {
    this.queue = queue;
    scanners = products.tile().scanners();
    kernel = products.newKernel("scan_matrix");
    sums = new DeviceSums(context);
  }

  /**
   * Makes room.
   *
   * @param entries blocks of all that will be scanned
   * @param newLaunch a number that no other launch has had
   */
  void open(long entries, long newLaunch) {
    launch = newLaunch;
    sums.open(entries, launch);
  }

  /**
   * Scans all blocks of matrices.
   *
   * @param words of a range that is all there is of them
   * @param place of the first entry
   */
  void run(DeviceObject words, Range range, long place) {
    run(words, range, 0, SealGrid.blocks(range), place);
  }

  /** Scans some blocks, from number {@code first} on. */
  void run(DeviceObject words, Range range, long first, long blocks, long place) {
    kernel
        .open()
        .buffer(words)
        .buffer(sums.memory())
        .number(place)
        .number(first)
        .number(CheckBlock.across(range.columns()))
        .number(range.rows())
        .number(range.columns())
        .number(launch);
    queue.run(ProbePoint.DEVICE_EVIDENCE, kernel, blocks, 1, scanners);
  }

  /** Brings the sums to the host. */
  DeviceSums download() {
    sums.download(queue);
    return sums;
  }

  @Override
  public void close() {
    kernel.close();
    sums.close();
  }
}
