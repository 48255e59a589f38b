package dev.regolith.faultinjection.campaign;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** The trials that share something (a site, a bit position, a fault model), counted in each arm. */
public final class Cell {
  private final Map<Arm, Counts> arms = new EnumMap<>(Arm.class);
  private final Pairing pairing = new Pairing();

  Cell() {
    for (Arm arm : Arm.values()) {
      arms.put(arm, new Counts());
    }
  }

  void add(List<TrialRecord> trial) {
    for (TrialRecord record : trial) {
      arm(record.arm()).add(record);
    }
    pairing.add(trial);
  }

  /** The trials of all these cells together. */
  static Cell sum(List<Cell> cells) {
    Cell sum = new Cell();
    for (Cell cell : cells) {
      for (Arm arm : Arm.values()) {
        sum.arm(arm).add(cell.arm(arm));
      }
      sum.pairing.add(cell.pairing);
    }
    return sum;
  }

  /** The counts of one arm; all zero if the arm was not run. */
  public Counts arm(Arm arm) {
    Counts counts = arms.get(arm);
    if (counts == null) {
      throw new AssertionError("an arm without counts: " + arm);
    }
    return counts;
  }

  /** The paired comparison of both arms; empty if only one was run. */
  public Pairing pairing() {
    return pairing;
  }

  /** The largest number of upsets that any arm saw. */
  public long injected() {
    return Math.max(arm(Arm.OFF).injected(), arm(Arm.CORRECT).injected());
  }
}
