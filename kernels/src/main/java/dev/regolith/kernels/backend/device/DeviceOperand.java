package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.memory.Repairs;

/**
 * The keys, or the values, that one region of an attention reads, on the device and on the host:
 * panels in a row for each head there, packed for the call or in pages here.
 */
abstract class DeviceOperand {
  private final Component component;
  private final DeviceCopy copy;
  private final DeviceObject buffer;
  private final int heads;
  private int skipped;
  private int ofHead;

  private DeviceOperand(int heads, boolean ofKeys, DeviceCopy copy, DeviceObject buffer) {
    this.heads = heads;
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
    return new DeviceOperand(region.kvHeads, ofKeys, panels, panels.open(b, queue, anew).memory()) {
      @Override
      long first() {
        return first;
      }

      @Override
      int allPanels() {
        return (int) (b.panelCount() / b.matrices());
      }

      @Override
      long panelsBetweenHeads() {
        return allPanels();
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
      long hostPanel(int head, int panel) {
        return first + head * panelsBetweenHeads() + panel;
      }

      @Override
      void mendOne(int head, int panel, int kBlock, DeviceQueue q) {
        panels.mend(b, hostPanel(head, panel), kBlock, q);
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
    int firstHead = region.kvHead;
    PackedB any = ofKeys ? sequence.keys(0) : sequence.values(0);
    int perPage = (int) (any.panelCount() / any.matrices());
    DeviceObject memory = ofKeys ? pages.keys(sequence) : pages.values(sequence);
    return new DeviceOperand(region.kvHeads, ofKeys, pages, memory) {
      @Override
      long first() {
        return pages.panel(any, firstHead, 0);
      }

      @Override
      int allPanels() {
        return sequence.pages() * perPage;
      }

      @Override
      long panelsBetweenHeads() {
        return pages.panel(any, 1, 0);
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
      long hostPanel(int head, int panel) {
        return any.panel(firstHead + head, 0) + panel % perPage;
      }

      @Override
      void mendOne(int head, int panel, int kBlock, DeviceQueue q) {
        long place = first() + head * panelsBetweenHeads() + panel;
        pages.mend(packedOf(panel), hostPanel(head, panel), memory, place, q);
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
    ofHead = perBlock == 0 ? allPanels() : (int) Math.min(allPanels(), to * perBlock) - skipped;
  }

  /** The number, on the device, of the first panel of a head that is seen, heads counted from 0. */
  final long firstPanel(int head) {
    return first() + head * panelsBetweenHeads() + skipped;
  }

  /** From a head's first float on the device to the next head's. */
  final long floatsOfHead() {
    return panelsBetweenHeads() * floatsOfPanel();
  }

  /** Heads. */
  final int heads() {
    return heads;
  }

  /** Panels of a head that are seen; on the device they lie one behind the other. */
  final int panelsOfHead() {
    return ofHead;
  }

  /** Panels that are seen, of all heads one after the other. */
  final int panels() {
    return heads * ofHead;
  }

  /** Seals of these. */
  final long entries() {
    return (long) panels() * kBlocks();
  }

  /** K-blocks of every panel. */
  final int kBlocks() {
    return packedOf(0).kBlocks();
  }

  /** Columns of every panel. */
  final int panelColumns() {
    return packedOf(0).panelColumns();
  }

  /** Steps of every panel. */
  final long depth() {
    return packedOf(0).depth();
  }

  /** What a panel that is seen, counted from 0, belongs to on the host. */
  final PackedB packed(int panel) {
    return packedOf(skipped + panel % ofHead);
  }

  /** Its number there. */
  final long onHost(int panel) {
    return hostPanel(panel / ofHead, skipped + panel % ofHead);
  }

  /** Copies a k-block of it again. */
  final void mend(int panel, int kBlock, DeviceQueue queue) {
    mendOne(panel / ofHead, skipped + panel % ofHead, kBlock, queue);
  }

  /** The first panel of the first head, on the device. */
  abstract long first();

  /** Panels of a head. */
  abstract int allPanels();

  /** From a head's first panel on the device to the next head's. */
  abstract long panelsBetweenHeads();

  /** Panels that hold the words of a block of keys, and of no other; 0 if panels hold all. */
  abstract int panelsOfBlock();

  abstract PackedB packedOf(int panel);

  abstract long hostPanel(int head, int panel);

  abstract void mendOne(int head, int panel, int kBlock, DeviceQueue queue);

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
