package dev.regolith.kernels.op;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.PackedB;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.checksum.Mended;
import dev.regolith.kernels.checksum.Seal;
import dev.regolith.kernels.fault.Component;
import dev.regolith.kernels.guard.AttentionGuard;
import dev.regolith.kernels.memory.Range;
import dev.regolith.kernels.probe.Probe;
import dev.regolith.kernels.probe.ProbePoint;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * Keys and values of an attention: packed for the call, or cached pages; and what is verified of
 * them after their last use. Work is given out as tasks, to any worker.
 */
final class KeysAndValues {
  private static final Range NO_RANGE = new Range(0, 0, 0, 0, 0, 0, 0);

  private final AttentionProblem problem;
  private final Backend backend;
  private final AttentionGuard guard;
  private final boolean verify;
  private final HeadView k;
  private final HeadView v;
  private final PackedB keys;
  private final PackedB values;

  /** Per worker: room for the sums of a seal. */
  private final long[][] found;

  private Range[] keyRanges = {};
  private Range[] valueRanges = {};
  private volatile boolean intact;
  private boolean scansPages;

  /** Per sequence: a page that is scanned whatever the others are. */
  private int[] looked = {};

  KeysAndValues(
      AttentionProblem problem,
      Backend backend,
      AttentionGuard guard,
      boolean verify,
      HeadView k,
      HeadView v,
      long[][] found) {
    this.problem = problem;
    this.backend = backend;
    this.guard = guard;
    this.verify = verify;
    this.k = k;
    this.v = v;
    this.found = found;
    keys = new PackedB(backend.panelColumns());
    values = new PackedB(backend.panelColumns());
  }

  /** Makes room for what is packed for a call; the problem says how much. */
  void open() {
    AttentionProblem p = problem;
    long matrices = p.batch * p.kvHeads;
    keys.reshape(matrices, p.depth, p.keys);
    values.reshape(matrices, p.keys, p.columns);
    p.k = keys;
    p.v = values;
    long blocks = matrices * p.blocks();
    if (p.finite.length < blocks) {
      p.finite = new boolean[Math.toIntExact(blocks)];
    }
    ranges();
  }

  private void ranges() {
    int sequences = Math.toIntExact(problem.batch);
    if (keyRanges.length < sequences) {
      keyRanges = new Range[sequences];
      valueRanges = new Range[sequences];
      Arrays.fill(keyRanges, NO_RANGE);
      Arrays.fill(valueRanges, NO_RANGE);
    }
    for (int s = 0; s < sequences; s++) {
      keyRanges[s] = k.ofSequence(s, true, keyRanges[s]);
      valueRanges[s] = v.ofSequence(s, false, valueRanges[s]);
    }
  }

  /** Notes that everything is going to be packed, perhaps once more. */
  void renew() {
    keys.renew();
    values.renew();
  }

  /** Tasks of {@link #pack}. */
  long packingTasks() {
    return keyTasks() + (problem.keys == 0 ? 0 : values.matrices() * values.kBlocks());
  }

  private long keyTasks() {
    return keys.matrices() * keys.blocks();
  }

  /** Packs a block of keys, or of values. */
  void pack(long task, Workspace w) {
    AttentionProblem p = problem;
    long keyTasks = keyTasks();
    if (task < keyTasks) {
      long matrix = task / keys.blocks();
      int sequence = (int) (matrix / p.kvHeads);
      backend.pack(k.memory, keyRanges[sequence], matrix, keys, task % keys.blocks(), 0, verify, w);
      return;
    }
    long rest = task - keyTasks;
    long matrix = rest / values.kBlocks();
    int kBlock = (int) (rest % values.kBlocks());
    int sequence = (int) (matrix / p.kvHeads);
    for (long block = 0; block < values.blocks(); block++) {
      backend.pack(v.memory, valueRanges[sequence], matrix, values, block, kBlock, verify, w);
    }
    for (int step = 0; step < values.depthOf(kBlock); step += AttentionProblem.BLOCK) {
      p.finite[finiteAt(matrix, kBlock, step)] = isFinite(matrix, kBlock, step);
    }
  }

  private int finiteAt(long matrix, int kBlock, int step) {
    long block = ((long) kBlock * PackedB.DEPTH + step) / AttentionProblem.BLOCK;
    return problem.finiteAt(matrix, block);
  }

  /** Whether the values of a block of keys are all finite. */
  private boolean isFinite(long matrix, int kBlock, int step) {
    int steps = Math.min(AttentionProblem.BLOCK, values.depthOf(kBlock) - step);
    int width = values.panelColumns();
    boolean finite = true;
    for (long i = 0; i < panels(values) / values.matrices(); i++) {
      long offset = values.panelOffset(values.panel(matrix, 0) + i, kBlock) + 4L * step * width;
      finite &= backend.isFinite(values.panels(), offset, steps * width);
    }
    return finite;
  }

  /**
   * Starts verifying; tasks of {@link #verify}.
   *
   * @param doubtful whether anything is in doubt, or was
   */
  long verifyingTasks(boolean doubtful) {
    intact = true;
    KeyValuePages[] pages = problem.pages;
    if (pages == null) {
      return panels(keys) + panels(values) + keys.matrices();
    }
    // Doubts may come of damaged words: they are looked at, and put back, before anything else.
    scansPages = !problem.checksInline || doubtful;
    if (looked.length < pages.length) {
      looked = new int[pages.length];
    }
    // A device reads copies: damage of pages that lie idle is not left to meet with more.
    boolean idle = backend.attendsOnDevice();
    long tasks = 0;
    for (int s = 0; s < pages.length; s++) {
      looked[s] = idle ? pages[s].nextPage() : -1;
      tasks += pages[s].pages();
    }
    return tasks;
  }

  /** Whether everything that was verified is intact. */
  boolean isIntact() {
    return intact;
  }

  private void verifyPage(long task, int worker, Workspace w) {
    KeyValuePages[] pages = problem.pages;
    long page = task;
    for (int s = 0; pages != null && s < pages.length; s++) {
      if (page < pages[s].pages()) {
        PackedB ofKeys = pages[s].keys(page);
        PackedB ofValues = pages[s].values(page);
        boolean scans = scansPages || page == looked[s];
        for (long panel = 0; scans && panel < ofKeys.panelCount(); panel++) {
          verifyPanel(Component.OPERAND_B, ofKeys, true, panel, worker, w);
        }
        for (long panel = 0; scans && panel < ofValues.panelCount(); panel++) {
          verifyPanel(Component.PACKED_B, ofValues, false, panel, worker, w);
        }
        for (int h = 0; h < problem.kvHeads; h++) {
          verifyRecords(ofKeys, h, worker, w);
          verifyRecords(ofValues, h, worker, w);
        }
        return;
      }
      page -= pages[s].pages();
    }
  }

  /** The repairs of cached pages that have ended. */
  long repairsEnded() {
    long sum = 0;
    for (int s = 0; problem.pages != null && s < problem.pages.length; s++) {
      sum += problem.pages[s].mark();
    }
    return sum;
  }

  /** Those that have begun: no other number than {@link #repairsEnded}, if none is going on. */
  long repairsBegun() {
    long sum = 0;
    for (int s = 0; problem.pages != null && s < problem.pages.length; s++) {
      sum += problem.pages[s].begun();
    }
    return sum;
  }

  private static long panels(PackedB packed) {
    return packed.depth() == 0 ? 0 : packed.panelCount();
  }

  /** Verifies a panel, check vectors, or a page, after their last use. */
  void verify(long task, int worker, Workspace w) {
    if (problem.pages != null) {
      verifyPage(task, worker, w);
    } else if (task < panels(keys)) {
      verifyPanel(Component.OPERAND_B, keys, true, task, worker, w);
    } else if (task < panels(keys) + panels(values)) {
      verifyPanel(Component.PACKED_B, values, false, task - panels(keys), worker, w);
    } else {
      long matrix = task - panels(keys) - panels(values);
      verifyRecords(keys, matrix, worker, w);
      verifyRecords(values, matrix, worker, w);
      verifyFinite(matrix);
    }
  }

  private void verifyPanel(
      Component component, PackedB packed, boolean ofKeys, long panel, int worker, Workspace w) {
    for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
      long offset = packed.panelOffset(panel, kBlock);
      int at = packed.panelSealAt(panel, kBlock);
      if (Probe.ON) {
        Probe.reach(
            ofKeys ? ProbePoint.KEYS_LAST_USE : ProbePoint.VALUES_LAST_USE,
            packed.panels(),
            offset,
            1,
            4L * packed.panelWords(kBlock),
            0);
        Probe.reach(
            ofKeys ? ProbePoint.KEYS_SEAL : ProbePoint.VALUES_SEAL,
            packed.panelSeals(),
            at,
            Seal.SUMS);
      }
      if (!backend.isIntact(packed, panel, kBlock, found[worker], w)) {
        intact = false;
        int ofBlock = kBlock;
        note(component, () -> packed.mendPanel(panel, ofBlock));
      }
    }
  }

  private void verifyFinite(long matrix) {
    for (int kBlock = 0; panels(values) > 0 && kBlock < values.kBlocks(); kBlock++) {
      for (int step = 0; step < values.depthOf(kBlock); step += AttentionProblem.BLOCK) {
        if (problem.finite[finiteAt(matrix, kBlock, step)] != isFinite(matrix, kBlock, step)) {
          intact = false;
          guard.note(Component.CHECK_VECTOR);
        }
      }
    }
  }

  /** What was packed for this call is packed again; what is cached is put back. */
  private void note(Component component, Supplier<Mended> mending) {
    if (problem.pages != null && guard.mends()) {
      guard.note(component, mending.get());
    } else {
      guard.note(component);
    }
  }

  private void verifyRecords(PackedB packed, long matrix, int worker, Workspace w) {
    for (long block = 0; packed.depth() > 0 && block < packed.blocks(); block++) {
      for (int kBlock = 0; kBlock < packed.kBlocks(); kBlock++) {
        long offset = packed.recordOffset(matrix, block, kBlock);
        int at = packed.recordSealAt(matrix, block, kBlock);
        if (Probe.ON) {
          long bytes = 4L * packed.recordWords();
          Probe.reach(ProbePoint.CHECK_VECTORS_LAST_USE, packed.records(), offset, 1, bytes, 0);
          Probe.reach(ProbePoint.CHECK_VECTORS_SEAL, packed.recordSeals(), at, Seal.SUMS);
        }
        backend.scan(packed.records(), offset, packed.recordWords(), found[worker], w);
        if (!Seal.same(found[worker], 0, packed.recordSeals(), at)) {
          intact = false;
          long record = block;
          int ofBlock = kBlock;
          note(Component.CHECK_VECTOR, () -> packed.mendRecord(matrix, record, ofBlock));
        }
      }
    }
  }

  /** Frees the buffers. */
  void close() {
    keys.release();
    values.release();
  }
}
