package dev.regolith.faultinjection.campaign;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Everything a campaign counts while it runs. */
public final class Tally implements CampaignListener {

  /** The trials of a site, together and by the window they hit. */
  public record Site(Cell all, Map<String, Cell> windows) {

    private Site() {
      this(new Cell(), new LinkedHashMap<>());
    }

    /** The trials that hit this window; new and empty if there were none. */
    Cell window(String window) {
      return windows.computeIfAbsent(window, _ -> new Cell());
    }
  }

  private final Cell all = new Cell();
  private final Map<String, Site> sites = new LinkedHashMap<>();
  private final Map<FaultModel, Cell> faultModels = new EnumMap<>(FaultModel.class);
  private final List<Cell> bits = new ArrayList<>();
  private long trials;
  private long controls;
  private long falseAlarms;

  /** An empty tally that already has a row for each site and window of this engine. */
  public Tally(Engine engine) {
    for (String site : engine.sites()) {
      for (String window : engine.windows(site)) {
        site(site).window(window);
      }
    }
    for (FaultModel model : FaultModel.values()) {
      faultModels.put(model, new Cell());
    }
    for (int bit = 0; bit < Integer.SIZE; bit++) {
      bits.add(new Cell());
    }
  }

  @Override
  public void trial(List<TrialRecord> arms) {
    trials++;
    all.add(arms);
    TrialRecord any = arms.getFirst();
    Site site = site(any.site());
    site.all().add(arms);
    site.window(any.window()).add(arms);
    Cell model = faultModels.get(any.faultModel());
    if (model != null) {
      model.add(arms);
    }
    int bit = arms.stream().mapToInt(TrialRecord::bit).max().orElse(-1);
    if (any.faultModel() == FaultModel.ONE_BIT && bit >= 0) {
      bits.get(bit).add(arms);
    }
  }

  @Override
  public void control(ControlRecord control) {
    controls++;
    falseAlarms += control.alarm() ? 1 : 0;
  }

  Site site(String site) {
    return sites.computeIfAbsent(site, _ -> new Site());
  }

  /** All trials together. */
  public Cell all() {
    return all;
  }

  /** The trials of each site, in the order of the engine. */
  public Map<String, Site> sites() {
    return Collections.unmodifiableMap(sites);
  }

  /** The trials of each fault model. */
  public Map<FaultModel, Cell> faultModels() {
    return Collections.unmodifiableMap(faultModels);
  }

  /**
   * The single-bit trials of each bit position, 0 to 31. Other fault models are left out: a random
   * word nearly always changes bit 0, and would make it look as dangerous as the exponent.
   */
  public List<Cell> bits() {
    return Collections.unmodifiableList(bits);
  }

  /** The single-bit trials of a range of bit positions, ends included. */
  public Cell bits(int lowest, int highest) {
    return Cell.sum(bits.subList(lowest, highest + 1));
  }

  /** The faults tried; each counts once, however many arms it ran in. */
  public long trials() {
    return trials;
  }

  /** The runs without a fault. */
  public long controls() {
    return controls;
  }

  /** The runs without a fault in which one was reported. */
  public long falseAlarms() {
    return falseAlarms;
  }
}
