package dev.regolith.kernels.backend.device;

import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.AttentionRegion;
import dev.regolith.kernels.backend.AttentionSink;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.fault.Component;

/** A region that was cut for a device, computed on the host in parts that it has room for. */
final class AttentionParts {
  private AttentionParts() {}

  static void attend(
      AttentionProblem p,
      AttentionRegion region,
      Backend host,
      Workspace workspace,
      AttentionSink sink) {
    AttentionProblem problem = p;
    if (p.checksInline) {
      problem = new AttentionProblem();
      problem.copyFrom(p); // and have its pages verified afterwards
      sink.unverified(p, region);
    }
    int most = host.attentionRows();
    if (region.rows() <= most && region.kvHeads == 1) {
      host.attend(problem, region, workspace, sink);
      return;
    }
    region.stored = 0;
    region.logarithms = 0;
    var part = new AttentionRegion();
    var whole = new Whole(sink, region);
    int rows = Math.min(region.queries, most);
    int ofKvHead = region.heads / region.kvHeads;
    int heads = Math.clamp(most / region.queries, 1, ofKvHead);
    for (int head = 0, next; head < region.heads; head = next) {
      next = Math.min(head + heads, (head / ofKvHead + 1) * ofKvHead);
      for (int row = 0; row < region.queries; row += rows) {
        part.set(
            region.sequence,
            region.kvHead + head / ofKvHead,
            region.head + head,
            next - head,
            region.query + row,
            Math.min(rows, region.queries - row));
        part.checks = 0;
        host.attend(problem, part, workspace, whole);
        region.checks += part.checks;
        region.stored += part.stored;
        region.logarithms += part.logarithms;
      }
    }
  }

  /** Says of a region what was said of a part of it. */
  private record Whole(AttentionSink sink, AttentionRegion region) implements AttentionSink {
    @Override
    public void evidence(
        AttentionProblem p,
        AttentionRegion part,
        int row,
        int rows,
        double[] predicted,
        double[] shown,
        double[] tolerance) {
      long inHead = part.query - region.query + row;
      int to = Math.toIntExact((long) (part.head - region.head) * region.queries + inHead);
      sink.evidence(
          p,
          region,
          to,
          rows,
          moved(predicted, row, rows, to),
          moved(shown, row, rows, to),
          moved(tolerance, row, rows, to));
    }

    private static double[] moved(double[] values, int from, int count, int to) {
      var moved = new double[to + count];
      System.arraycopy(values, from, moved, to, count);
      return moved;
    }

    @Override
    public void unverified(AttentionProblem p, AttentionRegion part) {
      sink.unverified(p, region);
    }

    @Override
    public void suspect(AttentionProblem p, AttentionRegion part, Component component) {
      sink.suspect(p, region, component);
    }
  }
}
