package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Repairs;

/**
 * The keys, or the values, that one region of an attention reads, on the device and on the host:
 * panels in a row there, packed for the call or in pages here.
 */
abstract class DeviceOperand {
  private final Component component;
  private final DeviceCopy copy;
  private final DeviceObject buffer;

  private DeviceOperand(boolean ofKeys, DeviceCopy copy, DeviceObject buffer) {
    component = ofKeys ? Component.OPERAND_B : Component.PACKED_B;
    this.copy = copy;
    this.buffer = buffer;
  }

  /** Keys or values that were packed for the call, or ahead. */
  static DeviceOperand packed(
      AttentionProblem p,
      AttentionRegion region,
      boolean ofKeys,
      DevicePanels panels,
      DeviceQueue queue,
      boolean anew) {
    PackedB b = ofKeys ? p.k : p.v;
    long first = b.panel(p.matrix(region.sequence, region.kvHead), 0);
    return new DeviceOperand(ofKeys, panels, panels.open(b, queue, anew)) {
      @Override
      long firstPanel() {
        return first;
      }

      @Override
      int panels() {
        return (int) (b.panelCount() / b.matrices());
      }

      @Override
      PackedB packed(int panel) {
        return b;
      }

      @Override
      long onHost(int panel) {
        return first + panel;
      }

      @Override
      void mend(int panel, int kBlock, DeviceQueue q) {
        panels.mend(b, first + panel, kBlock, q);
      }

      @Override
      long step() {
        long floats = (long) AttentionProblem.BLOCK * b.panelColumns();
        return ofKeys ? AttentionProblem.BLOCK / b.panelColumns() * floatsOfPanel() : floats;
      }

      @Override
      long keys() {
        return p.keys;
      }
    };
  }

  /** Keys or values of a cached sequence, whose copy is open. */
  static DeviceOperand cached(
      KeyValuePages sequence, AttentionRegion region, boolean ofKeys, DevicePages pages) {
    int head = region.kvHead;
    PackedB any = ofKeys ? sequence.keys(0) : sequence.values(0);
    int perPage = (int) (any.panelCount() / any.matrices());
    DeviceObject memory = ofKeys ? pages.keys(sequence) : pages.values(sequence);
    return new DeviceOperand(ofKeys, pages, memory) {
      @Override
      long firstPanel() {
        return pages.panel(any, head, 0);
      }

      @Override
      int panels() {
        return sequence.pages() * perPage;
      }

      @Override
      PackedB packed(int panel) {
        long page = panel / perPage;
        return ofKeys ? sequence.keys(page) : sequence.values(page);
      }

      @Override
      long onHost(int panel) {
        return any.panel(head, 0) + panel % perPage;
      }

      @Override
      void mend(int panel, int kBlock, DeviceQueue q) {
        pages.mend(packed(panel), onHost(panel), memory, firstPanel() + panel, q);
      }

      @Override
      long step() {
        return perPage * floatsOfPanel();
      }

      @Override
      long keys() {
        return (long) sequence.pages() * AttentionProblem.BLOCK;
      }
    };
  }

  /** What the host calls it. */
  final Component component() {
    return component;
  }

  /** Where it is. */
  final DeviceObject buffer() {
    return buffer;
  }

  /** Copies that were made again because the device's differed. */
  final Repairs repairs() {
    return copy.repairs();
  }

  /** The number of its first panel on the device. */
  abstract long firstPanel();

  /** Panels that lie there one behind the other. */
  abstract int panels();

  /** What a panel, counted from 0, belongs to on the host. */
  abstract PackedB packed(int panel);

  /** Its number there. */
  abstract long onHost(int panel);

  /** Copies a panel's k-block again. */
  abstract void mend(int panel, int kBlock, DeviceQueue queue);

  /** From a block's first panel that it has words in to the next block's, in floats. */
  abstract long step();

  /** Keys that there are, or that have values. */
  abstract long keys();

  /** Floats of a panel. */
  final long floatsOfPanel() {
    return packed(0).panelStride() / Float.BYTES;
  }

  /** Where the first panel is, in floats. */
  final long place() {
    return firstPanel() * floatsOfPanel();
  }
}
