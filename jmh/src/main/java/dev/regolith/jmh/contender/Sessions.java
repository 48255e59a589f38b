package dev.regolith.jmh.contender;

import dev.regolith.kernels.Regolith;
import dev.regolith.kernels.Session;
import dev.regolith.kernels.fault.Protection;
import java.util.HashMap;
import java.util.Map;

/**
 * One session per protection and number of threads for the life of a JVM, as an engine has it;
 * everything else about them is the default.
 */
public final class Sessions implements AutoCloseable {
  private record Key(Protection protection, int threads) {}

  private final Map<Key, Session> open = new HashMap<>();

  /** The session, opened when first asked for. */
  public Session get(Protection protection, int threads) {
    return open.computeIfAbsent(
        new Key(protection, threads),
        key -> Regolith.open(o -> o.protection(key.protection()).threads(key.threads())));
  }

  @Override
  public void close() {
    open.values().forEach(Session::close);
    open.clear();
  }
}
