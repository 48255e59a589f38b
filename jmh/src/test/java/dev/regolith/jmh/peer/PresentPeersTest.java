package dev.regolith.jmh.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.regolith.jmh.measure.Exercises;
import dev.regolith.jmh.rows.AttentionShape;
import dev.regolith.jmh.rows.Group;
import dev.regolith.jmh.rows.Operands;
import dev.regolith.jmh.rows.Row;
import dev.regolith.jmh.rows.Shape;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.util.LinkedHashSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The real libraries, where a build with the profile {@code peers} has unpacked them. */
@EnabledIf(value = "unpacked", disabledReason = "a build with -Ppeers unpacks the peers")
class PresentPeersTest {
  private static Peers peers;

  static boolean unpacked() {
    return Files.isDirectory(PeerFolder.path());
  }

  @BeforeAll
  static void load() {
    PeerEnvironment.cleanOwn(Waiting.BRIEF, "");
    peers = Peers.open(new LinkedHashSet<>(Peers.names()));
    assertThat(peers.absent()).isEmpty();
    assertThat(peers.present()).allMatch(peer -> peer.detail().matches("\\d+\\..*"));
  }

  static Stream<Row> rows() {
    return Stream.of(1, 2)
        .flatMap(threads ->
            Stream.of(
                new Row(Group.SMALL, new Shape(37, 53, 29), Operands.FRESH, threads),
                new Row(Group.SMALL, new Shape(37, 53, 29), Operands.PACKED, threads),
                new Row(Group.DECODE, new Shape(1, 3000, 2000), Operands.PACKED, threads),
                new Row(Group.BATCH, new Shape(5, 16, 8, 24), Operands.FRESH, threads),
                attention("4x70x70x24-causal", threads),
                attention("2x4x33x70x24", threads),
                attention("2x6/2x40x40x16-causal", threads),
                attention("2x8/2x1x300x32", threads),
                attention("8x1x300x32-causal", threads)));
  }

  private static Row attention(String sizes, int threads) {
    var shape = AttentionShape.parse(sizes);
    return new Row(Group.of(shape), shape, Operands.FRESH, threads);
  }

  @Test
  void everyRowHasPeers() {
    for (Row row : rows().toList()) {
      assertThat(peers.present().stream().filter(peer -> !peer.ways(row).isEmpty()))
          .hasSizeGreaterThan(1);
    }
  }

  @ParameterizedTest
  @MethodSource("rows")
  void everyWayOfEveryPeerIsRight(Row row) {
    try (var arena = Arena.ofShared()) {
      var exercise = Exercises.of(row.sizes(), arena);
      var envelope = exercise.check();
      for (Peer peer : peers.present()) {
        for (var way : peer.ways(row)) {
          try (var computation = way.prepare(row, exercise, arena)) {
            for (int i = 0; i < 4; i++) { // through all copies of cold weights
              computation.spoil();
              computation.run();
              assertThat(envelope.refuse(computation.result()))
                  .as("%s, %s", peer.name(), way.name())
                  .isEmpty();
            }
          }
        }
      }
    }
  }
}
