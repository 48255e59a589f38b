package dev.regolith.jmh.rows;

import static dev.regolith.jmh.rows.Operands.FRESH;
import static dev.regolith.jmh.rows.Operands.PACKED;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The rows of a run. */
public final class RowSets {
  /** Depth and width of the layers: attention and feed-forward of common language models. */
  private static final List<int[]> LAYERS =
      List.of(new int[] {4096, 4096}, new int[] {4096, 11008}, new int[] {2048, 8192});

  private static final List<Shape> ODD = List.of(new Shape(37, 253, 1000), Shape.cube(100));

  private RowSets() {}

  /** Everything: plan two hours on two cores. */
  public static List<Row> sensible(List<Integer> threads) {
    return threads.stream().flatMap(RowSets::sensible).toList();
  }

  private static Stream<Row> sensible(int threads) {
    var rows = new ArrayList<Row>();
    IntStream.of(256, 512, 1024, 2048, 4096)
        .mapToObj(Shape::cube)
        .forEach(shape -> addBoth(rows, Group.SQUARE, shape, threads));
    for (int[] layer : LAYERS) {
      for (int m : new int[] {8, 16, 64, 128, 512}) {
        var shape = new Shape(m, layer[0], layer[1]);
        rows.add(new Row(Group.WEIGHTS, shape, PACKED, threads));
      }
    }
    for (int[] layer : LAYERS) {
      for (int m = 1; m <= 4; m++) {
        rows.add(new Row(Group.DECODE, new Shape(m, layer[0], layer[1]), PACKED, threads));
      }
    }
    Stream.concat(
            IntStream.of(8, 16, 32, 48, 64, 96, 128).mapToObj(Shape::cube),
            Stream.concat(ODD.stream(), Stream.of(Shape.cube(1000))))
        .forEach(shape -> addBoth(rows, Group.SMALL, shape, threads));
    for (int batch : new int[] {64, 512}) {
      Stream.of(
              new Shape(batch, 64, 64, 64),
              new Shape(batch, 128, 64, 128),
              new Shape(batch, 128, 128, 64))
          .forEach(shape -> rows.add(new Row(Group.BATCH, shape, FRESH, threads)));
    }
    return rows.stream();
  }

  /** A first impression: squares up to 2048 and two decode rows. */
  public static List<Row> quick(List<Integer> threads) {
    var rows = new ArrayList<Row>();
    for (int count : threads) {
      for (int size : new int[] {256, 512, 1024, 2048}) {
        rows.add(new Row(Group.SQUARE, Shape.cube(size), PACKED, count));
      }
      for (int m : new int[] {1, 4}) {
        rows.add(new Row(Group.DECODE, new Shape(m, 4096, 4096), PACKED, count));
      }
    }
    for (int count : threads) {
      for (int size : new int[] {256, 512, 1024}) {
        rows.add(new Row(Group.SQUARE, Shape.cube(size), FRESH, count));
      }
    }
    return List.copyOf(rows);
  }

  /** Chosen shapes, each with the given states of B where they make sense. */
  public static List<Row> chosen(
      List<Shape> shapes, List<Operands> operands, List<Integer> threads) {
    var rows = new ArrayList<Row>();
    for (int count : threads) {
      for (Shape shape : shapes) {
        Group group = Group.of(shape);
        for (Operands form : operands) {
          // A batch has a B of its own for each product, which nobody packs ahead.
          if (group != Group.BATCH || form == FRESH || operands.size() == 1) {
            rows.add(new Row(group, shape, group == Group.BATCH ? FRESH : form, count));
          }
        }
      }
    }
    return List.copyOf(rows);
  }

  private static void addBoth(List<Row> rows, Group group, Shape shape, int threads) {
    rows.add(new Row(group, shape, FRESH, threads));
    rows.add(new Row(group, shape, PACKED, threads));
  }
}
