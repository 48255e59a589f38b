package dev.regolith.kernels;

import dev.regolith.kernels.backend.KeyValuePages;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** The caches of a session, which frees them when it is closed. Thread-safe. */
final class Caches implements AutoCloseable {
  private final Set<KeyValueCache> open = ConcurrentHashMap.newKeySet();

  /** What the last call left of its array. */
  private final AtomicReference<KeyValuePages @Nullable []> spare = new AtomicReference<>();

  /** A cache of these pages. */
  KeyValueCache add(KeyValuePages pages) {
    var cache = new KeyValueCache(pages, open::remove);
    open.add(cache);
    return cache;
  }

  /** Pages of caches, in an array that an earlier call gave back, if it is as long. */
  KeyValuePages[] pagesOf(List<KeyValueCache> caches) {
    KeyValuePages[] pages = spare.getAndSet(null);
    if (pages == null || pages.length != caches.size()) {
      pages = new KeyValuePages[caches.size()];
    }
    for (int i = 0; i < pages.length; i++) {
      pages[i] = caches.get(i).pages();
    }
    return pages;
  }

  /** Takes an array back. */
  void giveBack(KeyValuePages[] pages) {
    Arrays.fill(pages, null);
    spare.set(pages);
  }

  /** Closes all that are open. */
  @Override
  public void close() {
    List.copyOf(open).forEach(KeyValueCache::close);
  }
}
