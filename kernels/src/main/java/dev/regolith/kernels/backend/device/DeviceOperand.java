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
  private int skipped;
  private int panels;

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
      long first() {
        return first;
      }

      @Override
      int allPanels() {
        return (int) (b.panelCount() / b.matrices());
      }

      @Override
      int panelsOfBlock() {
        return ofKeys ? AttentionProblem.BLOCK / b.panelColumns() : 0;
      }

      @Override
      PackedB packedOf(int panel) {
        return b;
      }

      @Override
      long hostPanel(int panel) {
        return first + panel;
      }

      @Override
      void mendOne(int panel, int kBlock, DeviceQueue q) {
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
      long first() {
        return pages.panel(any, head, 0);
      }

      @Override
      int allPanels() {
        return sequence.pages() * perPage;
      }

      @Override
      int panelsOfBlock() {
        return perPage;
      }

      @Override
      PackedB packedOf(int panel) {
        long page = panel / perPage;
        return ofKeys ? sequence.keys(page) : sequence.values(page);
      }

      @Override
      long hostPanel(int panel) {
        return any.panel(head, 0) + panel % perPage;
      }

      @Override
      void mendOne(int panel, int kBlock, DeviceQueue q) {
        pages.mend(packedOf(panel), hostPanel(panel), memory, first() + panel, q);
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

  /**
   * Leaves what rows do not see alone, as far as panels go.
   *
   * @param from the first block of keys that they see, and {@code to} the block behind the last
   */
  final void see(long from, long to) {
    int perBlock = panelsOfBlock();
    skipped = perBlock == 0 ? 0 : (int) Math.min(allPanels(), from * perBlock);
    panels = perBlock == 0 ? allPanels() : (int) Math.min(allPanels(), to * perBlock) - skipped;
  }

  /** The number, on the device, of the first panel that is seen. */
  final long firstPanel() {
    return first() + skipped;
  }

  /** Panels that are seen; on the device they lie one behind the other. */
  final int panels() {
    return panels;
  }

  /** Seals of these. */
  final long entries() {
    return (long) panels * kBlocks();
  }

  /** K-blocks of every panel. */
  final int kBlocks() {
    return packedOf(0).kBlocks();
  }

  /** Steps of every panel. */
  final long depth() {
    return packedOf(0).depth();
  }

  /** What a panel that is seen, counted from 0, belongs to on the host. */
  final PackedB packed(int panel) {
    return packedOf(skipped + panel);
  }

  /** Its number there. */
  final long onHost(int panel) {
    return hostPanel(skipped + panel);
  }

  /** Copies a k-block of it again. */
  final void mend(int panel, int kBlock, DeviceQueue queue) {
    mendOne(skipped + panel, kBlock, queue);
  }

  abstract long first();

  abstract int allPanels();

  /** Panels that hold the words of a block of keys, and of no other; 0 if panels hold all. */
  abstract int panelsOfBlock();

  abstract PackedB packedOf(int panel);

  abstract long hostPanel(int panel);

  abstract void mendOne(int panel, int kBlock, DeviceQueue queue);

  /** From a block's first panel that it has words in to the next block's, in floats. */
  abstract long step();

  /** Keys that there are, or that have values. */
  abstract long keys();

  /** Floats of a panel. */
  final long floatsOfPanel() {
    return packedOf(0).panelStride() / Float.BYTES;
  }

  /** Where the first panel of block 0 is, in floats. */
  final long place() {
    return first() * floatsOfPanel();
  }
}
