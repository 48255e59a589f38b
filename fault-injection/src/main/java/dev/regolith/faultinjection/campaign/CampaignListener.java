package dev.regolith.faultinjection.campaign;

import java.util.List;

/** Hears of everything a campaign does, while it does it, on the campaign's thread. */
public interface CampaignListener {

  /** A fault was tried; one record per arm. */
  default void trial(List<TrialRecord> arms) {}

  /** A run without a fault ended. */
  default void control(ControlRecord control) {}
}
