package dev.regolith.kernels.memory;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The memory behind a tensor and all its views, with the seals that watch over parts of it.
 *
 * <p>This package is not exported: users reach the memory through {@code Tensor}, which hands out
 * read-only segments of what is sealed.
 */
public final class Storage {
  private static final Watch[] NONE = {};

  private final MemorySegment segment;
  private final boolean owned;
  private volatile boolean exposed;
  private volatile int edits;
  private volatile Watch[] watches = NONE;

  /**
   * @param segment the memory, writable
   * @param owned whether only tensors can reach it, so that an operator may seal what it writes
   */
  public Storage(MemorySegment segment, boolean owned) {
    this.segment = segment;
    this.owned = owned;
  }

  /** The memory, writable whatever is sealed. */
  public MemorySegment segment() {
    return segment;
  }

  /** Notes that a writable segment left the library, after which no operator seals by itself. */
  public void expose() {
    exposed = true;
  }

  /** Whether an operator that writes here may seal what it wrote without being asked. */
  public boolean sealsItself() {
    return owned && !exposed && edits == 0;
  }

  /** Whether any word of {@code range} is under a seal in force. */
  public boolean isWatched(Range range) {
    for (Watch watch : watches) {
      if (watch.inForce() && watch.range().intersects(range)) {
        return true;
      }
    }
    return false;
  }

  /** All watches, in force or not; not to be modified. */
  public Watch[] watches() {
    return watches;
  }

  /** The watch of exactly this range, or null. */
  public @Nullable Watch watchOf(Range range) {
    for (Watch watch : watches) {
      if (watch.range().equals(range)) {
        return watch;
      }
    }
    return null;
  }

  /** Adds a watch. */
  public synchronized void add(Watch watch) {
    var longer = Arrays.copyOf(watches, watches.length + 1);
    longer[watches.length] = watch;
    watches = longer;
  }

  /** Forgets a watch. */
  public synchronized void remove(Watch watch) {
    watches = Arrays.stream(watches).filter(each -> !each.equals(watch)).toArray(Watch[]::new);
  }

  /** Counts an edit scope in ({@code +1}) or out ({@code -1}). */
  public synchronized void edit(int change) {
    edits += change;
  }
}
