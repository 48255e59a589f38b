package dev.regolith.faultinjection.report;

import dev.regolith.faultinjection.campaign.Arm;
import dev.regolith.faultinjection.campaign.Counts;
import dev.regolith.faultinjection.campaign.Outcome;
import java.util.List;
import java.util.Locale;

/**
 * Draws what single-bit upsets do at each of the 32 bit positions: a stacked column per bit and
 * arm.
 *
 * <p>The drawing is written as SVG with real text and the page's own colours, so that it follows
 * light and dark, can be searched, and needs neither AWT nor an installed font.
 */
final class BitPlot {
  private static final int WIDTH = 960;
  private static final int LEFT = 46;
  private static final int PANEL = 130;
  private static final int PANEL_GAP = 46;
  private static final int TOP = 24;
  private static final int FIELD_GAP = 10;
  private static final double COLUMN = (WIDTH - LEFT - 2.0 * FIELD_GAP) / Integer.SIZE;

  private final StringBuilder svg = new StringBuilder();
  private final Summary summary;

  private BitPlot(Summary summary) {
    this.summary = summary;
  }

  /** An {@code <svg>} element. */
  static String of(Summary summary) {
    return new BitPlot(summary).draw();
  }

  private String draw() {
    int panels = summary.arms().size();
    int height = TOP + panels * PANEL + (panels - 1) * PANEL_GAP + 44;
    svg.append("<svg viewBox=\"0 0 %s %s\" role=\"img\"".formatted(WIDTH, height));
    svg.append(" aria-label=\"Outcomes per bit position\">\n");
    int top = TOP;
    for (Arm arm : summary.arms()) {
      panel(arm, top);
      top += PANEL + PANEL_GAP;
    }
    axis(top - PANEL_GAP);
    return svg.append("</svg>\n").toString();
  }

  private void panel(Arm arm, int top) {
    text("panel", LEFT, top - 9, "start", arm == Arm.OFF ? "unprotected" : "protected");
    for (int percent : List.of(0, 50, 100)) {
      double y = top + PANEL * (1 - percent / 100.0);
      line("grid", LEFT, y, WIDTH, y);
      text("tick", LEFT - 6, y + 4, "end", percent + " %");
    }
    for (int bit = 0; bit < Integer.SIZE; bit++) {
      Counts counts = summary.tally().bits().get(bit).arm(arm);
      if (counts.injected() > 0) {
        svg.append("<g><title>%s</title>\n".formatted(Html.prose(tooltip(bit, arm, counts))));
        column(x(bit) + 2, counts, top);
        if (arm == Arm.OFF) {
          whisker(x(bit) + COLUMN / 2, Shares.sdc(counts), top);
        }
        svg.append("</g>\n");
      }
    }
  }

  private static String tooltip(int bit, Arm arm, Counts counts) {
    Share sdc = Shares.sdc(counts);
    return "bit %s (%s), %s: %s upsets, silently wrong %s (95 %% CI %s)"
        .formatted(
            bit,
            FloatField.of(bit).id(),
            arm.id(),
            Share.count(counts.injected()),
            sdc.percent(),
            sdc.interval());
  }

  private void column(double x, Counts counts, int top) {
    double y = top + PANEL;
    for (Outcome outcome : OutcomeBar.ORDER) {
      double height = PANEL * new Share(counts.of(outcome), counts.injected()).fraction();
      if (height > 0) {
        y -= height;
        svg.append(
            "<rect class=\"o-%s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>\n"
                .formatted(outcome.id(), number(x), number(y), number(COLUMN - 4), number(height)));
      }
    }
  }

  private void whisker(double x, Share share, int top) {
    Interval interval = Interval.of(share.hits(), share.trials());
    line("whisker", x, top + PANEL * (1 - interval.low()), x, top + PANEL * (1 - interval.high()));
  }

  private void axis(int bottom) {
    for (int bit = 0; bit < Integer.SIZE; bit++) {
      text("tick", x(bit) + COLUMN / 2, bottom + 16, "middle", Integer.toString(bit));
    }
    for (FloatField field : FloatField.values()) {
      double from = x(field.highest()) + 2;
      double to = x(field.lowest()) + COLUMN - 2;
      line("field", from, bottom + 23, to, bottom + 23);
      text("tick", (from + to) / 2, bottom + 38, "middle", field.id());
    }
  }

  private static double x(int bit) {
    int gaps = FloatField.of(bit).fieldsAbove();
    return LEFT + (Integer.SIZE - 1 - bit) * COLUMN + gaps * FIELD_GAP;
  }

  private void line(String kind, double x1, double y1, double x2, double y2) {
    svg.append(
        "<line class=\"%s\" x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\"/>\n"
            .formatted(kind, number(x1), number(y1), number(x2), number(y2)));
  }

  private void text(String kind, double x, double y, String anchor, String text) {
    svg.append(
        "<text class=\"%s\" x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>\n"
            .formatted(kind, number(x), number(y), anchor, Html.escape(text)));
  }

  private static String number(double coordinate) {
    return String.format(Locale.ROOT, "%.2f", coordinate);
  }
}
