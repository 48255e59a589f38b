package dev.regolith.jmh.launch;

import dev.regolith.jmh.ceiling.MachineCeilings;
import dev.regolith.jmh.contender.Contender;
import dev.regolith.jmh.contender.RegolithContender;
import dev.regolith.jmh.contender.Repetition;
import dev.regolith.jmh.contender.Sessions;
import dev.regolith.jmh.measure.Pace;
import dev.regolith.jmh.measure.RowBench;
import dev.regolith.jmh.measure.SpeedTrial;
import dev.regolith.jmh.peer.Peer;
import dev.regolith.jmh.peer.Peers;
import dev.regolith.jmh.rows.Group;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import dev.regolith.kernels.fault.Protection;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;

/** The entry point of a measuring JVM. Its task is the first argument, events go to the output. */
public final class LaunchMain {
  static final String ROWS = "rows";
  static final String SPEED = "speed";
  static final String COLD = "cold";

  private LaunchMain() {}

  /** Does its task and ends. */
  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case ROWS -> rows(Wire.plan(new String(System.in.readAllBytes(), StandardCharsets.UTF_8)));
      case SPEED -> speed(args[1]);
      case COLD ->
          tell(
              new LaunchEvent.Cold(
                  ColdRun.measure(
                      Integer.parseInt(args[1]),
                      Integer.parseInt(args[2]),
                      Double.parseDouble(args[3]))));
      default -> throw new IllegalArgumentException("no task '" + args[0] + "'");
    }
  }

  private static void rows(LaunchPlan plan) {
    long start = System.nanoTime();
    Peers peers = Peers.open(plan.peers());
    try (var sessions = new Sessions();
        var ceilings = new MachineCeilings()) {
      tell(began(sessions, peers));
      List<Contender> contenders = contenders(sessions, plan, peers.present());
      Pace pace = Pace.of(plan.pace());
      boolean memory = plan.rows().stream().anyMatch(Row::readsFromMemory);
      plan.rows().stream()
          .mapToInt(Row::threads)
          .distinct()
          .forEach(threads -> ceilings.warmUp(threads, pace.quietNanos(), memory));
      var bench = new RowBench(ceilings, pace);
      for (Row row : plan.rows()) {
        if ((System.nanoTime() - start) / 1e9 > plan.seconds()) {
          break;
        }
        tell(new LaunchEvent.RowBegan(row));
        try {
          tell(new LaunchEvent.RowEnded(bench.measure(row, contenders)));
        } catch (RuntimeException | OutOfMemoryError e) {
          tell(new LaunchEvent.RowFailed(row, e.toString()));
        }
      }
    }
  }

  private static LaunchEvent began(Sessions sessions, Peers peers) {
    var present = new LinkedHashMap<String, String>();
    for (Peer peer : peers.present()) {
      present.put(peer.name(), peer.detail());
    }
    return new LaunchEvent.Began(
        sessions.get(Protection.CORRECT, 1).configuration(), present, peers.absent());
  }

  private static List<Contender> contenders(Sessions sessions, LaunchPlan plan, List<Peer> peers) {
    var contenders = new ArrayList<Contender>();
    contenders.add(new RegolithContender(sessions, Protection.OFF));
    contenders.add(new RegolithContender(sessions, Protection.CORRECT));
    contenders.addAll(peers);
    if (plan.alternatives()) {
      contenders.add(Repetition.twice(sessions));
      contenders.add(Repetition.vote(sessions));
    }
    return contenders;
  }

  private static void speed(String name) {
    var row = new Row(Group.SQUARE, Shape.cube(1024), Operands.FRESH, 1);
    for (Peer peer : Peers.open(Set.of(name)).present()) {
      tell(new LaunchEvent.Speed(peer.detail(), SpeedTrial.gflops(peer, row)));
    }
  }

  private static void tell(LaunchEvent event) {
    System.out.println(Wire.line(event));
    System.out.flush();
  }
}
