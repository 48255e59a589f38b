package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.FaultModel;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;

/**
 * A fault about to happen: which word of a region, and what becomes of it. Both follow from the
 * trial's random stream and the words found there, so that both arms are struck alike.
 */
final class Strike {
  private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT;
  private static final int DRAWS = 64;

  private final FaultModel model;
  private final long seed;
  private int mask;

  Strike(FaultModel model, long seed) {
    this.model = model;
    this.seed = seed;
  }

  /** Changes one word of a region; what would change nothing (a zero zeroed) is drawn again. */
  void hit(Occurrence region) {
    var random = new SplittableRandom(seed);
    for (int draw = 0; draw < DRAWS && mask == 0; draw++) {
      long offset = region.word(random.nextLong(region.words()));
      MemorySegment memory = region.memory();
      int before = memory.get(WORD, offset);
      memory.set(WORD, offset, damaged(before, random));
      mask = before ^ memory.get(WORD, offset);
    }
  }

  private int damaged(int word, SplittableRandom random) {
    return switch (model) {
      case ONE_BIT -> word ^ 1 << random.nextInt(Integer.SIZE);
      case ADJACENT_BITS -> word ^ 3 << random.nextInt(Integer.SIZE - 1);
      case RANDOM_WORD -> random.nextInt();
      case ZERO_WORD -> 0;
    };
  }

  /** The bits that changed, read back from memory; 0 if nothing happened. */
  int mask() {
    return mask;
  }
}
