package dev.regolith.jmh.peer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The peers of a JVM.
 *
 * @param present those that can be called
 * @param absent those that cannot, or that nobody asked for, with the reason
 */
public record Peers(List<Peer> present, Map<String, String> absent) {
  /** Why a peer is absent that was left out on the command line. */
  public static final String NOT_ASKED = "not asked for";

  private interface Opening {
    Peer open() throws PeerAbsentException;
  }

  private static final Map<String, Opening> KNOWN = new LinkedHashMap<>();

  static {
    KNOWN.put(OneDnn.NAME, OneDnn::open);
    KNOWN.put(OpenBlas.NAME, OpenBlas::open);
    KNOWN.put(Mkl.NAME, Mkl::open);
    KNOWN.put(PyTorch.NAME, PyTorch::open);
    KNOWN.put(OnnxRuntime.NAME, OnnxRuntime::open);
  }

  /** The names of all that there are. */
  public static List<String> names() {
    return List.copyOf(KNOWN.keySet());
  }

  /** Loads the peers of these names. */
  public static Peers open(Set<String> wanted) {
    var present = new ArrayList<Peer>();
    var absent = new LinkedHashMap<String, String>();
    KNOWN.forEach((name, opening) -> {
      if (!wanted.contains(name)) {
        absent.put(name, NOT_ASKED);
        return;
      }
      try {
        present.add(opening.open());
      } catch (PeerAbsentException e) {
        absent.put(name, String.valueOf(e.getMessage()));
      }
    });
    return new Peers(List.copyOf(present), absent);
  }
}
