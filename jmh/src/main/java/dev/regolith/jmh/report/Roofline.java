package dev.regolith.jmh.report;

import dev.regolith.jmh.contender.Impl;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Draws speed over arithmetic intensity, a panel per number of threads, under the roof that memory
 * and multiply-adds set (Williams, Waterman and Patterson, 2009). Both axes are logarithmic.
 *
 * <p>The drawing is written as SVG with real text and the page's own colours, so that it follows
 * light and dark, can be searched, and needs neither AWT nor an installed font.
 */
final class Roofline {
  private static final int WIDTH = 1040;
  private static final int LEFT = 52;
  private static final int RIGHT = 16;
  private static final int PANEL = 300;
  private static final int GAP = 70;
  private static final int TOP = 28;

  private final StringBuilder svg = new StringBuilder();
  private final Summary summary;
  private final Scale x;
  private final Scale y;

  /** A logarithmic axis. */
  private record Scale(double low, double high, double from, double to) {
    double at(double value) {
      double share = (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
      return from + Math.clamp(share, 0, 1) * (to - from);
    }

    /** 1, 2 and 5 times powers of ten. */
    List<Double> ticks() {
      var ticks = new ArrayList<Double>();
      for (double decade = Math.pow(10, Math.floor(Math.log10(low)));
          decade <= high;
          decade *= 10) {
        for (int factor : new int[] {1, 2, 5}) {
          double tick = factor * decade;
          if (tick >= low * 0.999 && tick <= high * 1.001) {
            ticks.add(tick);
          }
        }
      }
      return ticks;
    }
  }

  private Roofline(Summary summary) {
    this.summary = summary;
    double[] intensities =
        summary.rows().stream().mapToDouble(row -> row.row().sizes().intensity()).toArray();
    double[] speeds =
        summary.rows().stream()
            .flatMap(row -> row.all().stream())
            .filter(figures -> drawn(figures.impl()))
            .mapToDouble(figures -> figures.gflops().median())
            .toArray();
    double top = summary.fmaPeaks().values().stream().mapToDouble(v -> v).max().orElse(1);
    x = new Scale(least(intensities) / 1.3, most(intensities) * 1.3, LEFT, WIDTH - RIGHT);
    y = new Scale(least(speeds) / 1.4, Math.max(top, most(speeds)) * 1.25, PANEL, 0);
  }

  private static boolean drawn(Impl impl) {
    return impl.isPeer() || impl.equals(Impl.OFF) || impl.equals(Impl.CORRECT);
  }

  private static double least(double[] values) {
    return java.util.Arrays.stream(values).min().orElse(1);
  }

  private static double most(double[] values) {
    return java.util.Arrays.stream(values).max().orElse(2);
  }

  /** An {@code <svg>} element; nothing if nothing was measured. */
  static String of(Summary summary) {
    return summary.rows().isEmpty() ? "" : new Roofline(summary).draw();
  }

  private String draw() {
    var threads = List.copyOf(summary.fmaPeaks().keySet());
    int height = TOP + threads.size() * (PANEL + GAP) - 24;
    svg.append("<svg viewBox=\"0 0 %d %d\" role=\"img\"".formatted(WIDTH, height));
    svg.append(" aria-label=\"Speed over arithmetic intensity\">\n");
    int top = TOP;
    for (int count : threads) {
      svg.append("<g transform=\"translate(0 %d)\">\n".formatted(top));
      panel(count);
      svg.append("</g>\n");
      top += PANEL + GAP;
    }
    return svg.append("</svg>\n").toString();
  }

  private void panel(int threads) {
    text("panel", LEFT, -12, "start", threads + (threads == 1 ? " thread" : " threads"));
    for (double tick : y.ticks()) {
      line("grid", LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick));
      text("tick", LEFT - 7, y.at(tick) + 4, "end", plain(tick));
    }
    for (double tick : x.ticks()) {
      line("grid", x.at(tick), 0, x.at(tick), PANEL);
      text("tick", x.at(tick), PANEL + 17, "middle", plain(tick));
    }
    text("tick", LEFT, PANEL + 34, "start", "GFLOP/s over flops per byte of operands");
    roof(threads);
    for (RowFigures row : summary.rows()) {
      if (row.row().threads() == threads) {
        points(row);
      }
    }
  }

  private void roof(int threads) {
    double peak = summary.fmaPeaks().getOrDefault(threads, Double.NaN);
    line("roof", LEFT, y.at(peak), WIDTH - RIGHT, y.at(peak));
    text(
        "name",
        WIDTH - RIGHT,
        y.at(peak) - 6,
        "end",
        "multiply-adds from registers, %s GFLOP/s".formatted(Numbers.speed(peak)));
    Double bandwidth = summary.readBandwidths().get(threads);
    if (bandwidth != null) {
      double knee = Math.min(peak / bandwidth, x.high());
      double start = Math.max(x.low(), y.low() / bandwidth);
      if (knee > start) {
        line("roof", x.at(start), y.at(start * bandwidth), x.at(knee), y.at(knee * bandwidth));
        double middle = Math.pow(start, 0.2) * Math.pow(knee, 0.8);
        text(
            "name",
            x.at(middle) + 10,
            y.at(middle * bandwidth) + 18,
            "start",
            "words from memory, %s GB/s".formatted(Numbers.speed(bandwidth)));
      }
    }
  }

  private void points(RowFigures row) {
    Optional<Figures> off = row.of(Impl.OFF);
    Optional<Figures> correct = row.of(Impl.CORRECT);
    Optional<Figures> peer = row.peers().stream().findFirst();
    double at = x.at(row.row().sizes().intensity());
    svg.append("<g><title>%s</title>".formatted(Html.escape(tooltip(row))));
    peer.ifPresent(figures -> point(Mark.PEER, at, figures));
    off.ifPresent(figures -> point(Mark.OFF, at, figures));
    correct.ifPresent(figures -> point(Mark.CORRECT, at, figures));
    svg.append("</g>\n");
  }

  private void point(Mark mark, double at, Figures figures) {
    svg.append(mark.at(at, y.at(figures.gflops().median())));
  }

  private static String tooltip(RowFigures row) {
    var text = new StringBuilder(row.row().toString());
    for (Figures figures : row.all()) {
      text.append(
          "\n%s: %s GFLOP/s".formatted(figures.impl(), Numbers.speed(figures.gflops().median())));
    }
    return text.toString();
  }

  private static String plain(double tick) {
    return tick >= 1 ? Long.toString(Math.round(tick)) : Double.toString(tick);
  }

  private void line(String kind, double x1, double y1, double x2, double y2) {
    svg.append(
        "<line class=\"%s\" x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\"/>\n"
            .formatted(kind, Mark.number(x1), Mark.number(y1), Mark.number(x2), Mark.number(y2)));
  }

  private void text(String kind, double x, double y, String anchor, String text) {
    svg.append(
        "<text class=\"%s\" x=\"%s\" y=\"%s\" text-anchor=\"%s\">%s</text>\n"
            .formatted(kind, Mark.number(x), Mark.number(y), anchor, Html.escape(text)));
  }
}
