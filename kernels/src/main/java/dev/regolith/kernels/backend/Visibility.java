package dev.regolith.kernels.backend;

import dev.regolith.kernels.function.HyperbolicTangent;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * Which keys a query sees, and what is done to their scores before the softmax: the part of an
 * attention problem that is not linear algebra.
 *
 * <p>A query of number {@code i} stands at key position {@code origin + i}. By its structure
 * (lengths, causality, windows, the extent of a mask) it sees one run of keys, from {@link #from}
 * to {@link #to}; a mask may hide some of them. Scores go through, in this order, softcap, linear
 * bias (ALiBi), additive mask. Reused from call to call.
 */
public final class Visibility {
  /** How the mask is read. */
  public enum Mask {
    /** There is none. */
    NONE,
    /** A byte for each pair, 0 hides the key. */
    BOOLEAN,
    /** A float for each pair, added; minus infinity hides the key. */
    ADDITIVE
  }

  /** A window or length without bound. */
  public static final long UNBOUNDED = Long.MAX_VALUE / 4;

  /** Keys a query sees to the left of its own position. */
  public long left = UNBOUNDED;

  /** Keys a query sees to the right of its own position. */
  public long right = UNBOUNDED;

  /** Per sequence: key position of the first query. */
  public long[] origins = {};

  /** Per sequence: number of keys. */
  public long[] keyLengths = {};

  /** Per sequence: number of queries; what follows is padding, whose results are zeros. */
  public long[] queryLengths = {};

  /** If positive, scores become {@code softcap * tanh(score / softcap)}. */
  public float softcap;

  /** Per query head: {@code slope * (key - position)} is added; null if nothing is. */
  public float @Nullable [] slopes;

  /** Kind of mask. */
  public Mask mask = Mask.NONE;

  /** Memory of the mask. */
  public MemorySegment maskMemory = MemorySegment.NULL;

  /** First element of the mask, in elements; then the strides of its dimensions, 0 to broadcast. */
  public long maskOffset;

  /** Keys that the mask covers: those behind are hidden. */
  public long maskKeys = UNBOUNDED;

  /** From a sequence to the next, in elements. */
  public long maskBatchStride;

  /** From a head to the next, in elements. */
  public long maskHeadStride;

  /** From a query to the next, in elements. */
  public long maskQueryStride;

  /** From a key to the next, in elements. */
  public long maskKeyStride;

  /** First key that a query sees. */
  public long from(long batch, long query) {
    return Math.max(0, origins[(int) batch] + query - left);
  }

  /** Behind the last key that a query sees; not above {@link #from} if it sees none. */
  public long to(long batch, long query) {
    if (query >= queryLengths[(int) batch]) {
      return 0;
    }
    long visible = Math.min(keyLengths[(int) batch], origins[(int) batch] + query + right + 1);
    return Math.min(visible, maskKeys);
  }

  /** Whether scores reach the softmax as they are. */
  public boolean isPlain() {
    return softcap == 0 && slopes == null && mask == Mask.NONE;
  }

  /** Whether the mask hides a key that the structure shows. */
  public boolean hides(long batch, long head, long query, long key) {
    return switch (mask) {
      case NONE -> false;
      case BOOLEAN -> maskMemory.get(ValueLayout.JAVA_BYTE, maskAt(batch, head, query, key)) == 0;
      case ADDITIVE -> additive(batch, head, query, key) == Float.NEGATIVE_INFINITY;
    };
  }

  /** The additive mask. */
  public float additive(long batch, long head, long query, long key) {
    return maskMemory.getAtIndex(ValueLayout.JAVA_FLOAT, maskAt(batch, head, query, key));
  }

  /** Element of the mask. */
  public long maskAt(long batch, long head, long query, long key) {
    return maskOffset
        + batch * maskBatchStride
        + head * maskHeadStride
        + query * maskQueryStride
        + key * maskKeyStride;
  }

  /** Distance of a key from a query's position, for the linear bias. */
  public float distance(long batch, long query, long key) {
    return key - (origins[(int) batch] + query);
  }

  /** What reaches the softmax of a score; minus infinity if the mask hides the key. */
  public float transformed(float score, long batch, long head, long query, long key) {
    if (hides(batch, head, query, key)) {
      return Float.NEGATIVE_INFINITY;
    }
    float t = score;
    if (softcap > 0) {
      t = softcap * HyperbolicTangent.of(t / softcap);
    }
    if (slopes != null) {
      t = Math.fma(slopes[(int) head], distance(batch, query, key), t);
    }
    return mask == Mask.ADDITIVE ? t + additive(batch, head, query, key) : t;
  }

  /** Lets go of the caller's memory. */
  public void forget() {
    maskMemory = MemorySegment.NULL;
  }
}
