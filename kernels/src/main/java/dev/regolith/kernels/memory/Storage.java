package dev.regolith.kernels.memory;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The memory behind a tensor and all its views, with the seals that watch over parts of it.
 *
 * <p>The words may lie in the memory of a device as well, or only there: whoever asks for the
 * segment has them brought back first. So they can stay away for as long as nobody holds a segment
 * that was handed out.
 *
 * <p>This package is not exported: users reach the memory through {@code Tensor}, which hands out
 * read-only segments of what is sealed.
 */
public final class Storage {
  private static final Watch[] NONE = {};

  private final MemorySegment segment;
  private final boolean owned;
  private final long used;
  private volatile boolean exposed;
  private volatile boolean observed;
  private volatile int edits;
  private volatile Watch[] watches = NONE;

  /** Where the words are as well, or only. */
  private volatile @Nullable Remote remote;

  /** Whether the segment does not hold them. */
  private volatile boolean away;

  /**
   * @param segment the memory, writable
   * @param owned whether only tensors can reach it, so that an operator may seal what it writes
   */
  public Storage(MemorySegment segment, boolean owned) {
    this(segment, owned, segment.byteSize());
  }

  /**
   * The same.
   *
   * @param used bytes that elements have; what is behind them fills a word up
   */
  public Storage(MemorySegment segment, boolean owned, long used) {
    this.segment = segment;
    this.owned = owned;
    this.used = used;
  }

  /** The memory with its words, to be read; writable whatever is sealed. */
  public MemorySegment segment() {
    if (away) {
      bringBack();
    }
    return segment;
  }

  /**
   * The memory, to be written: from here on its words are here and nowhere else.
   *
   * @param whole whether every word will be written, and none read before that
   */
  public MemorySegment segmentToWrite(boolean whole) {
    if (remote != null) {
      dropRemote(whole);
    }
    return segment;
  }

  /** The memory, whether it holds the words or not: where it is, and how large. */
  public MemorySegment place() {
    return segment;
  }

  /** Notes that a writable segment left the library, after which no operator seals by itself. */
  public void expose() {
    exposed = true;
    observed = true;
  }

  /** Notes that a segment left the library: from here on its holder sees every result in it. */
  public void observe() {
    observed = true;
  }

  /** Bytes that elements can have: what is behind them is nobody's. */
  public long used() {
    return used;
  }

  /** Whether an operator that writes here may seal what it wrote without being asked. */
  public boolean sealsItself() {
    return owned && !exposed && edits == 0;
  }

  /** Whether nobody but operators sees the words, so that they may lie elsewhere. */
  public boolean mayLeave() {
    return sealsItself() && !observed;
  }

  /** What holds the words as well, or instead; or null. */
  public @Nullable Remote remote() {
    return remote;
  }

  /**
   * Has a copy of the words kept.
   *
   * @param only whether it is newer than the segment: then seals in force, which are of words that
   *     are gone, end
   */
  public void keep(Remote copy, boolean only) {
    synchronized (this) {
      if (only) {
        retain(each -> !each.inForce());
      }
      Remote before = remote;
      remote = copy;
      away = only;
      if (before != null && !before.equals(copy)) {
        before.release();
      }
    }
    if (only && observed) {
      bringBack();
    }
  }

  /**
   * Gives up a copy that is not needed, because the segment holds its words.
   *
   * @return whether there was one
   */
  public synchronized boolean dropCopy(Remote copy) {
    if (away || !copy.equals(remote)) {
      return false;
    }
    remote = null;
    copy.release();
    return true;
  }

  private void bringBack() {
    Runnable afterwards;
    synchronized (this) {
      afterwards = fetch();
    }
    if (afterwards != null) {
      afterwards.run();
    }
  }

  private void dropRemote(boolean whole) {
    Runnable afterwards;
    synchronized (this) {
      afterwards = whole ? null : fetch();
      Remote holder = remote;
      remote = null;
      away = false;
      if (holder != null) {
        holder.release();
      }
    }
    if (afterwards != null) {
      afterwards.run();
    }
  }

  /** Has the words in the segment; what is left to be said of it, or null. */
  private @Nullable Runnable fetch() {
    Remote holder = remote;
    if (!away || holder == null) {
      return null;
    }
    Runnable afterwards = holder.fetch(this);
    away = false;
    return afterwards;
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

  /** The watch of exactly this range; added if there is none. */
  public synchronized Watch watchOf(Range range, Function<Range, Watch> maker) {
    Watch watch = watchOf(range);
    if (watch == null) {
      watch = maker.apply(range);
      var longer = Arrays.copyOf(watches, watches.length + 1);
      longer[watches.length] = watch;
      watches = longer;
    }
    return watch;
  }

  /** Forgets a watch. */
  public synchronized void remove(Watch watch) {
    retain(each -> !each.equals(watch));
  }

  private void retain(Predicate<Watch> which) {
    watches = Arrays.stream(watches).filter(which).toArray(Watch[]::new);
  }

  /** Counts an edit scope in ({@code +1}) or out ({@code -1}). */
  public synchronized void edit(int change) {
    edits += change;
  }
}
