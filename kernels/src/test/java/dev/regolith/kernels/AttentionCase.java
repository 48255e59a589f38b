package dev.regolith.kernels;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.attention.AttentionOptions.Alignment;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Objects;
import java.util.Random;

/** An attention over plain arrays, and the same as tensors of a random layout. */
final class AttentionCase {
  final int batch;
  final int heads;
  final int kvHeads;
  final int queries;
  final int keys;
  final int depth;
  final int columns;
  final float[][][][] q;
  final float[][][][] k;
  final float[][][][] v;

  float scale;
  float softcap;
  boolean causal;
  Alignment alignment = Alignment.BOTTOM_RIGHT;
  long past = -1;
  long left = -1;
  long right = -1;
  float[] slopes;
  long[] keyLengths;
  long[] queryLengths;

  /** {@code [batch][heads][queries][keys]}: added; minus infinity hides. */
  float[][][][] mask;

  boolean maskIsBoolean;

  /** Keys of the mask's tensor; those behind are hidden. */
  int maskKeys;

  // Along which dimensions the mask differs.
  private boolean perBatch;
  private boolean perHead;
  private boolean perQuery;

  AttentionCase(
      int batch, int heads, int kvHeads, int queries, int keys, int depth, int columns, Random r) {
    this.batch = batch;
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.queries = queries;
    this.keys = keys;
    this.depth = depth;
    this.columns = columns;
    q = normal(batch, heads, queries, depth, r);
    k = normal(batch, kvHeads, keys, depth, r);
    v = normal(batch, kvHeads, keys, columns, r);
    scale = (float) (1 / Math.sqrt(depth));
  }

  /** Any combination of features. */
  static AttentionCase random(long seed) {
    var r = new Random(seed);
    int kvHeads = 1 + r.nextInt(3);
    int group = new int[] {1, 1, 2, 3, 7}[r.nextInt(5)];
    int queries =
        new int[] {1, 1 + r.nextInt(6), 1 + r.nextInt(60), 1 + r.nextInt(210)}[r.nextInt(4)];
    int keys = new int[] {1 + r.nextInt(20), 1 + r.nextInt(300), 1 + r.nextInt(1500)}[r.nextInt(3)];
    if ((long) queries * keys > 60_000) {
      queries = 60_000 / keys;
    }
    int depth = new int[] {1 + r.nextInt(40), 16, 64, 80, 128}[r.nextInt(5)];
    int columns = r.nextBoolean() ? depth : 1 + r.nextInt(70);
    var c =
        new AttentionCase(
            1 + r.nextInt(2), kvHeads * group, kvHeads, queries, keys, depth, columns, r);
    if (r.nextInt(4) == 0) {
      c.scale = (float) (r.nextGaussian() * 0.3);
    }
    if (r.nextInt(5) == 0) {
      c.softcap = 1 + r.nextFloat() * 20;
    }
    c.causal = r.nextInt(2) == 0;
    c.alignment = r.nextInt(3) == 0 ? Alignment.TOP_LEFT : Alignment.BOTTOM_RIGHT;
    if (r.nextInt(5) == 0) {
      c.past = r.nextInt(keys + 1);
    }
    if (r.nextInt(4) == 0) {
      c.left = r.nextInt(keys + 1);
    }
    if (r.nextInt(4) == 0) {
      c.right = r.nextInt(keys + 1);
    }
    if (r.nextInt(5) == 0) {
      c.slopes = new float[c.heads];
      for (int h = 0; h < c.heads; h++) {
        c.slopes[h] = (float) Math.pow(2, -8.0 * (h + 1) / c.heads);
      }
    }
    if (r.nextInt(4) == 0) {
      c.keyLengths = r.longs(c.batch, 0, keys + 1).toArray();
    }
    if (r.nextInt(4) == 0) {
      c.queryLengths = r.longs(c.batch, 0, queries + 1).toArray();
    }
    if (r.nextInt(3) == 0) {
      c.randomMask(r);
      if (keys > 2 && r.nextInt(3) == 0) {
        c.cutMask(2 + r.nextInt(keys - 2));
      }
    }
    return c;
  }

  /** Leaves the mask fewer keys. */
  void cutMask(int end) {
    maskKeys = end;
    for (float[][][] sequence : Objects.requireNonNull(mask)) {
      for (float[][] head : sequence) {
        for (float[] query : head) {
          Arrays.fill(query, end, keys, Float.NEGATIVE_INFINITY);
        }
      }
    }
  }

  void randomMask(Random r) {
    maskIsBoolean = r.nextBoolean();
    perBatch = r.nextBoolean();
    perHead = r.nextBoolean();
    perQuery = r.nextInt(3) > 0;
    mask = new float[batch][heads][queries][keys];
    maskKeys = keys;
    for (int b = 0; b < batch; b++) {
      for (int h = 0; h < heads; h++) {
        for (int i = 0; i < queries; i++) {
          for (int j = 0; j < keys; j++) {
            boolean own = (perBatch || b == 0) && (perHead || h == 0) && (perQuery || i == 0);
            float drawn =
                r.nextInt(4) == 0 ? Float.NEGATIVE_INFINITY : maskIsBoolean ? 0 : added(r);
            mask[b][h][i][j] =
                own ? drawn : mask[perBatch ? b : 0][perHead ? h : 0][perQuery ? i : 0][j];
          }
        }
      }
    }
  }

  /** What masks add: often little, at times so much that the key is as good as hidden. */
  private static float added(Random r) {
    float[] far = {-1e4f, -1e9f, -Float.MAX_VALUE, 30};
    return r.nextInt(6) == 0 ? far[r.nextInt(far.length)] : (float) r.nextGaussian();
  }

  private static float[][][][] normal(int a, int b, int c, int d, Random r) {
    var x = new float[a][b][c][d];
    for (float[][][] y : x) {
      for (float[][] z : y) {
        for (float[] row : z) {
          for (int i = 0; i < d; i++) {
            row[i] = (float) r.nextGaussian();
          }
        }
      }
    }
    return x;
  }

  long keyLength(int b) {
    return keyLengths == null ? keys : keyLengths[b];
  }

  long queryLength(int b) {
    return queryLengths == null ? queries : queryLengths[b];
  }

  /** Key position of a query. */
  long position(int b, int i) {
    long origin =
        past >= 0 ? past : alignment == Alignment.TOP_LEFT ? 0 : keyLength(b) - queryLength(b);
    return origin + i;
  }

  boolean sees(int b, int h, int i, int j) {
    long position = position(b, i);
    return i < queryLength(b)
        && j < keyLength(b)
        && (!causal || j <= position)
        && (left < 0 || j >= position - left)
        && (right < 0 || j <= position + right)
        && (mask == null || mask[b][h][i][j] != Float.NEGATIVE_INFINITY);
  }

  AttentionOptions options(Arena arena) {
    var o = AttentionOptions.defaults().aligned(alignment).scale(scale).softcap(softcap);
    if (causal) {
      o = o.causal(alignment);
    }
    if (past >= 0) {
      o = o.past(past);
    }
    o = o.window(left, right);
    if (slopes != null) {
      o = o.slopes(slopes);
    }
    if (keyLengths != null) {
      o = o.keyLengths(keyLengths);
    }
    if (queryLengths != null) {
      o = o.queryLengths(queryLengths);
    }
    return mask == null ? o : o.mask(maskTensor(arena));
  }

  /** With extents of 1 where the mask is the same. */
  private Tensor maskTensor(Arena arena) {
    long[] shape = {perBatch ? batch : 1, perHead ? heads : 1, perQuery ? queries : 1, maskKeys};
    long count = shape[0] * shape[1] * shape[2] * maskKeys;
    MemorySegment memory = arena.allocate(count * (maskIsBoolean ? 1 : 4), 64);
    long at = 0;
    for (int b = 0; b < shape[0]; b++) {
      for (int h = 0; h < shape[1]; h++) {
        for (int i = 0; i < shape[2]; i++) {
          for (int j = 0; j < maskKeys; j++, at++) {
            float m = mask[b][h][i][j];
            if (maskIsBoolean) {
              memory.set(ValueLayout.JAVA_BYTE, at, (byte) (m == 0 ? 1 : 0));
            } else {
              memory.setAtIndex(ValueLayout.JAVA_FLOAT, at, m);
            }
          }
        }
      }
    }
    return Tensor.wrap(memory, maskIsBoolean ? DType.BOOL : DType.FLOAT32, shape);
  }

  /** How {@code [batch, heads, rows, columns]} lies in memory. */
  enum Layout {
    /** Heads apart, row-major. */
    HEADS_FIRST,
    /** Heads side by side, seen through strides. */
    ROWS_FIRST,
    /** With gaps between rows, heads and sequences. */
    GAPS,
    /** Rows and columns exchanged. */
    TURNED,
    /** In a Java array. */
    HEAP
  }

  static Tensor tensor(Arena arena, float[][][][] x, Layout layout) {
    int a = x.length;
    int b = x[0].length;
    int c = x[0][0].length;
    int d = x[0][0][0].length;
    long[] shape = {a, b, c, d};
    Tensor tensor =
        switch (layout) {
          case HEADS_FIRST -> Tensor.zeros(arena, DType.FLOAT32, shape);
          case ROWS_FIRST ->
              Tensor.zeros(arena, DType.FLOAT32, a, c, b, d)
                  .strided(0, shape, new long[] {(long) c * b * d, d, (long) b * d, 1});
          case GAPS ->
              Tensor.zeros(arena, DType.FLOAT32, a + 1, b + 1, c + 2, d + 3)
                  .strided(
                      5,
                      shape,
                      new long[] {(b + 1L) * (c + 2) * (d + 3), (c + 2L) * (d + 3), d + 3, 1});
          case TURNED -> Tensor.zeros(arena, DType.FLOAT32, a, b, d, c).transposed();
          case HEAP -> Tensor.wrap(new float[a * b * c * d], shape);
        };
    fill(tensor, x);
    return tensor;
  }

  static void fill(Tensor tensor, float[][][][] x) {
    MemorySegment memory = tensor.storage().segment();
    for (int a = 0; a < x.length; a++) {
      for (int b = 0; b < x[a].length; b++) {
        for (int c = 0; c < x[a][b].length; c++) {
          for (int d = 0; d < x[a][b][c].length; d++) {
            memory.setAtIndex(
                ValueLayout.JAVA_FLOAT,
                tensor.offset()
                    + a * tensor.stride(0)
                    + b * tensor.stride(1)
                    + c * tensor.stride(2)
                    + d * tensor.stride(3),
                x[a][b][c][d]);
          }
        }
      }
    }
  }

  Tensor result(Arena arena, Layout layout) {
    var nan = new float[batch][heads][queries][columns];
    for (float[][][] x : nan) {
      for (float[][] y : x) {
        for (float[] row : y) {
          Arrays.fill(row, Float.NaN);
        }
      }
    }
    return tensor(arena, nan, layout);
  }

  @Override
  public String toString() {
    return ("batch %d, heads %d/%d, queries %d, keys %d, d %d, dv %d, scale %s, softcap %s, causal"
            + " %s %s, past %d, window %d %d, slopes %s, key lengths %s, query lengths %s, mask"
            + " %s")
        .formatted(
            batch,
            heads,
            kvHeads,
            queries,
            keys,
            depth,
            columns,
            scale,
            softcap,
            causal,
            alignment,
            past,
            left,
            right,
            slopes != null,
            Arrays.toString(keyLengths),
            Arrays.toString(queryLengths),
            mask == null ? "none" : maskIsBoolean ? "boolean" : "additive");
  }
}
