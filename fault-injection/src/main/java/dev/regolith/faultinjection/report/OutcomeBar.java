package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Outcome;
import java.util.List;
import java.util.Locale;

/** A horizontal bar that splits the upsets of one arm by outcome. */
final class OutcomeBar {
  /** From the worst to the harmless, so that the colour that matters starts at the baseline. */
  static final List<Outcome> ORDER =
      List.of(
          Outcome.SDC,
          Outcome.MISCORRECTED,
          Outcome.CRASH,
          Outcome.HANG,
          Outcome.CORRECTED_INEXACT,
          Outcome.DETECTED,
          Outcome.CORRECTED,
          Outcome.BENIGN,
          Outcome.MASKED);

  /** The narrowest part of a bar that still has room for a number. */
  private static final double LABEL_FROM = 0.07;

  private OutcomeBar() {}

  /** What a colour means, for somebody who does not know the names of the outcomes. */
  static String label(Outcome outcome) {
    return switch (outcome) {
      case NOT_INJECTED -> "nothing injected";
      case HARNESS_ERROR -> "error of the harness";
      case CRASH -> "crash";
      case HANG -> "hang";
      case DETECTED -> "reported, not corrected";
      case MASKED -> "no effect";
      case BENIGN -> "within rounding";
      case SDC -> "silently wrong";
      case CORRECTED -> "corrected";
      case CORRECTED_INEXACT -> "corrected inexactly";
      case MISCORRECTED -> "corrected wrongly";
    };
  }

  /** A bar as wide as its container, with its numbers written into it where they fit. */
  static String labelled(Counts counts) {
    return bar(counts, true);
  }

  /** A thin bar for a row of a table. */
  static String small(Counts counts) {
    return bar(counts, false);
  }

  private static String bar(Counts counts, boolean labelled) {
    StringBuilder html = new StringBuilder();
    html.append(labelled ? "<div class=\"bar\">" : "<div class=\"bar small\">");
    for (Outcome outcome : ORDER) {
      Share share = new Share(counts.of(outcome), counts.injected());
      if (share.hits() > 0) {
        html.append(
            String.format(
                Locale.ROOT,
                "<span class=\"o-%s\" style=\"flex:%d\" title=\"%s: %s (%s)\">%s</span>",
                outcome.id(),
                share.hits(),
                label(outcome),
                Share.count(share.hits()),
                share.percent(),
                labelled && share.fraction() >= LABEL_FROM ? Html.prose(share.percent()) : ""));
      }
    }
    return html.append("</div>").toString();
  }
}
