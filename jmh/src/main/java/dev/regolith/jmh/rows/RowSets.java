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

  /** Tokens of all heads together, so that a call of the longest sequence takes about a second. */
  private static final int TOKENS = 16384;

  private static final List<Integer> SEQUENCES = List.of(512, 1024, 2048, 4096, 8192);
  private static final List<Integer> HEAD_SIZES = List.of(64, 128);
  private static final int LEAST_CACHED = 1024;
  private static final int MOST_CACHED = 65536;

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
    rows.addAll(chosenAttention(someAttention(), List.of(threads)));
    return rows.stream();
  }

  /** Every attention: prefill, then decode with 8 heads of keys for 32 or 8 of queries. */
  public static List<Row> attention(List<Integer> threads) {
    var shapes = new ArrayList<AttentionShape>();
    for (int size : HEAD_SIZES) {
      for (int sequence : SEQUENCES) {
        shapes.add(prefill(sequence, size, true));
        shapes.add(prefill(sequence, size, false));
      }
    }
    for (int heads : new int[] {32, 8}) {
      for (int keys = LEAST_CACHED; keys <= MOST_CACHED; keys *= 2) {
        shapes.add(decode(heads, keys));
      }
    }
    return chosenAttention(shapes, threads);
  }

  /** Those that stand for the others where everything is measured. */
  private static List<AttentionShape> someAttention() {
    return List.of(prefill(1024, 64, true), prefill(2048, 128, false), decode(32, 4096));
  }

  private static AttentionShape prefill(int sequence, int headSize, boolean causal) {
    int heads = TOKENS / sequence;
    return new AttentionShape(1, heads, heads, sequence, sequence, headSize, causal);
  }

  private static AttentionShape decode(int heads, int keys) {
    return new AttentionShape(1, heads, 8, 1, keys, 128, false);
  }

  /** Chosen attentions. */
  public static List<Row> chosenAttention(List<AttentionShape> shapes, List<Integer> threads) {
    return threads.stream()
        .flatMap(count ->
            shapes.stream().map(shape -> new Row(Group.of(shape), shape, shape.operands(), count)))
        .toList();
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
