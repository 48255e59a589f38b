package dev.regolith.kernels;

import dev.regolith.kernels.backend.KeyValuePages;
import java.util.function.Consumer;

/**
 * Keys and values of one sequence, in the form that attention reads: packed in pages of 128 keys,
 * with check vectors, seals and digests from the moment a key is appended. Memory comes for several
 * pages at a time, as many as there are, 16 MiB at most (or a page, if that is larger); {@link
 * #truncate} frees what is left of no use, {@link #close} and the session's end everything.
 *
 * <p>An upset in a page is noticed by the attention that reads it, located, and put back; then what
 * read it is computed again. Where a device attends, it reads a copy, which is verified likewise:
 * of the pages on the host, each call looks at one in turn, and {@link
 * Session#verify(KeyValueCache)} at all of them.
 *
 * <p><b>Threads.</b> Any number of threads may read (attend) at a time; {@code append}, {@link
 * #truncate} and {@link #close} need the cache for themselves.
 */
public final class KeyValueCache implements AutoCloseable {
  private final KeyValuePages pages;
  private final Consumer<KeyValueCache> onClose;
  private boolean closed;

  KeyValueCache(KeyValuePages pages, Consumer<KeyValueCache> onClose) {
    this.pages = pages;
    this.onClose = onClose;
  }

  /** Number of keys. */
  public long length() {
    return pages.length();
  }

  /** Key and value heads. */
  public int heads() {
    return pages.heads();
  }

  /** Head size of keys. */
  public int headSize() {
    return pages.depth();
  }

  /** Head size of values. */
  public int valueSize() {
    return pages.columns();
  }

  /**
   * Forgets the last keys, as after a rejected draft; 0 to start a new sequence.
   *
   * <p>A page that is cut in the middle is verified first; damage is put back and reported.
   *
   * @param length how many stay
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if such a page is damaged beyond
   *     repair; nothing is forgotten then
   */
  public void truncate(long length) {
    if (length < 0 || length > pages.length()) {
      throw new IllegalArgumentException(
          "the cache holds %d keys, it cannot be cut to %d".formatted(pages.length(), length));
    }
    pages.truncate(length);
  }

  KeyValuePages pages() {
    if (closed) {
      throw new IllegalStateException("the cache is closed");
    }
    return pages;
  }

  /** Frees all pages; the cache is not used again. Idempotent. */
  @Override
  public void close() {
    closed = true;
    pages.free();
    onClose.accept(this);
  }

  @Override
  public String toString() {
    return "KeyValueCache(%d keys, %d heads, head sizes %d and %d)"
        .formatted(length(), heads(), headSize(), valueSize());
  }
}
