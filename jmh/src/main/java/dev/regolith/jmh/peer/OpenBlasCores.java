package dev.regolith.jmh.peer;

import java.util.List;
import java.util.Set;

/**
 * Core types of OpenBLAS worth trying: what it finds by itself is not always its fastest. The first
 * is its own choice. One that the processor cannot run crashes, so that each is tried in a JVM of
 * its own.
 */
public final class OpenBlasCores {
  /** The peer that they belong to. */
  public static final String PEER = OpenBlas.NAME;

  private static final List<String> X86 = List.of("", "SKYLAKEX", "COOPERLAKE", "ZEN");

  private OpenBlasCores() {}

  /** Whether somebody among these multiplies by OpenBLAS. */
  public static boolean matterTo(Set<String> peers) {
    return peers.contains(OpenBlas.NAME) || peers.contains(PyTorch.NAME);
  }

  /** What to try on this processor. */
  public static List<String> candidates() {
    return System.getProperty("os.arch", "").equals("amd64") ? X86 : List.of("");
  }
}
