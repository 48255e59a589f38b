package dev.regolith.jmh.peer;

import dev.regolith.jmh.contender.Contender;
import dev.regolith.jmh.contender.Impl;

/** A library that somebody would otherwise use. */
public interface Peer extends Contender {
  /** Its name on the command line and in files. */
  String name();

  /** Version and, where the library chooses among kernels, which it chose. */
  String detail();

  @Override
  default Impl impl() {
    return Impl.peer(name());
  }
}
