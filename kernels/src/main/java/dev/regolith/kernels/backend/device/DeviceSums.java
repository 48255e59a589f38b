package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Sums that kernels make beside their work, three an entry, and the host's copy of them. Those of
 * an earlier launch, because a kernel never ran or a copy was lost, are not taken for new ones: the
 * kernels add the number of their launch, which the host takes off again.
 */
final class DeviceSums implements Parts.Part {
  private static final long ENTRY = 8L * Seal.SUMS;

  private final DeviceBuffer memory;
  private MemorySegment copy = MemorySegment.NULL;

  /** What arrived. */
  private long[] sums = {};

  private Arena arena = Arena.ofShared();
  private long entries;
  private long launch;

  DeviceSums(DeviceContext context) {
    memory = new DeviceBuffer(context);
  }

  /** Makes room for a launch's entries. */
  void open(long newEntries, long newLaunch) {
    entries = newEntries;
    launch = newLaunch;
    if (copy.byteSize() < ENTRY * entries) {
      copy = MemorySegment.NULL;
      arena.close();
      arena = Arena.ofShared();
      copy = arena.allocate(ENTRY * entries, 8);
      sums = new long[Math.toIntExact(Seal.SUMS * entries)];
    }
  }

  /** Where the kernels put them. */
  DeviceObject memory() {
    return memory.atLeast(ENTRY * entries);
  }

  /** Brings them to the host. */
  void download(DeviceQueue queue) {
    if (Probe.ON) {
      queue.probe(ProbePoint.DEVICE_SUMS, memory(), 0, ENTRY * entries);
    }
    queue.downloadEvidence(memory(), ENTRY * entries, copy);
    MemorySegment.copy(
        copy, ValueLayout.JAVA_LONG, 0, sums, 0, Math.toIntExact(Seal.SUMS * entries));
  }

  /** Adds an entry onto three sums. */
  void addTo(long[] totals, long entry) {
    int from = (int) (Seal.SUMS * entry);
    for (int i = 0; i < Seal.SUMS; i++) {
      totals[i] += sums[from + i] - launch;
    }
  }

  /** Whether an entry is the sums of a block's seal. */
  boolean isSealed(long[] seals, long block, long entry) {
    int from = (int) (Seal.SUMS * entry);
    int at = (int) (Seal.SUMS * block);
    boolean same = true;
    for (int i = 0; i < Seal.SUMS; i++) {
      same &= sums[from + i] - launch == seals[at + i];
    }
    return same;
  }

  /** Makes an entry the sums of a block's seal. */
  void seal(long[] seals, long block, long entry) {
    for (int i = 0; i < Seal.SUMS; i++) {
      seals[(int) (Seal.SUMS * block) + i] = sums[(int) (Seal.SUMS * entry) + i] - launch;
    }
  }

  /** Whether stretches of entries are the same. */
  boolean areSame(long one, long other, long count) {
    int from = (int) (Seal.SUMS * one);
    int otherFrom = (int) (Seal.SUMS * other);
    int length = (int) (Seal.SUMS * count);
    return Arrays.equals(sums, from, from + length, sums, otherFrom, otherFrom + length);
  }

  /** Whether an entry is the sums of a panel's k-block that its seal says. */
  boolean isSealed(PackedB b, long panel, int kBlock, long entry) {
    int from = (int) (Seal.SUMS * entry);
    int at = b.panelSealAt(panel, kBlock);
    long[] seals = b.panelSeals();
    if (Probe.ON) {
      Probe.reach(ProbePoint.PACKED_B_SEAL, seals, at, Seal.SUMS);
    }
    boolean same = true;
    for (int i = 0; i < Seal.SUMS; i++) {
      same &= sums[from + i] - launch == seals[at + i];
    }
    return same;
  }

  @Override
  public void close() {
    memory.close();
    arena.close();
  }
}
