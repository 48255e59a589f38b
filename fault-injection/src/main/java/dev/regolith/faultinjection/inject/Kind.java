package dev.regolith.faultinjection.inject;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.model.TrainedModel;
import dev.regolith.kernels.Session;
import java.lang.foreign.Arena;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;

/**
 * A kind of computation that a campaign strikes: what is computed, what must come of it, where it
 * lies in memory, and the map of its buffers' lives. Everything else is common to all kinds.
 *
 * @param <W> its workloads
 */
interface Kind<W extends Workload> {
  /** The campaign's map, in the order of reports. */
  List<Window<W>> windows();

  /** Those of the map that there are in sessions of a configuration. */
  default List<Window<W>> windows(Map<String, String> configuration) {
    return windows();
  }

  /** The workloads over one window of the model's text. */
  List<W> workloads(TrainedModel model, int text);

  /** What a workload must come to. */
  Truth truth(W workload);

  /** The same computed in another way. */
  Kind<W> by(Computing how);

  /** Lays a workload out in memory for one arm. */
  Setup setup(W workload, Arm arm, Session session, Arena arena);

  /** All sites, in the order of the map. */
  default List<String> sites() {
    var sites = new LinkedHashSet<String>();
    for (Window<W> window : windows()) {
      sites.add(window.site());
    }
    return List.copyOf(sites);
  }
}
