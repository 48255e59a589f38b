package dev.regolith.kernels.op;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.AttentionProblem;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Refuses what attention cannot do, before anything is written. */
final class AttentionArguments {
  private AttentionArguments() {}

  static void check(Tensor q, Tensor k, Tensor v, Tensor out, AttentionOptions o) {
    requireLayout("Q", q, o.queryHeads());
    requireLayout("K", k, o.kvHeads());
    requireLayout("V", v, o.kvHeads());
    requireLayout("the result", out, o.queryHeads());
    long batch = q.size(0);
    long heads = heads(q, o.queryHeads());
    long kvHeads = heads(k, o.kvHeads());
    long depth = depth(q, o.queryHeads());
    long columns = depth(v, o.kvHeads());
    long queries = q.size(-2);
    long keys = k.size(-2);
    if (k.size(0) != batch || v.size(0) != batch || out.size(0) != batch) {
      throw refused(q, k, v, out, "the batches differ");
    }
    if (kvHeads == 0 || heads % kvHeads != 0) {
      throw refused(
          q,
          k,
          v,
          out,
          "%d query heads cannot be shared out evenly to %d key heads".formatted(heads, kvHeads));
    }
    if (heads(v, o.kvHeads()) != kvHeads || v.size(-2) != keys) {
      throw refused(q, k, v, out, "K and V must agree in heads and keys");
    }
    if (depth(k, o.kvHeads()) != depth) {
      throw refused(
          q, k, v, out, "Q has head size %d, K has %d".formatted(depth, depth(k, o.kvHeads())));
    }
    if (heads(out, o.queryHeads()) != heads
        || out.size(-2) != queries
        || depth(out, o.queryHeads()) != columns) {
      throw refused(
          q,
          k,
          v,
          out,
          "the result must have %d heads, %d rows and head size %d"
              .formatted(heads, queries, columns));
    }
    if (depth > AttentionProblem.MAX_DEPTH || columns > AttentionProblem.MAX_COLUMNS) {
      throw refused(
          q,
          k,
          v,
          out,
          "head sizes go up to %d (Q, K) and %d (V)"
              .formatted(AttentionProblem.MAX_DEPTH, AttentionProblem.MAX_COLUMNS));
    }
    requireWritable("the result", out);
    requireApart("Q", q, "the result", out);
    requireApart("K", k, "the result", out);
    requireApart("V", v, "the result", out);
    requireLengths("key", o.keyLengths(), batch, keys);
    requireLengths("query", o.queryLengths(), batch, queries);
    requireMask(o, batch, heads, queries, keys, out);
    requireSlopes(o, heads);
    requireLse(q, k, v, out, o, batch, heads, queries);
  }

  /** The same over cached keys and values. */
  static void check(Tensor q, KeyValuePages[] cached, Tensor out, AttentionOptions o) {
    requireLayout("Q", q, o.queryHeads());
    requireLayout("the result", out, o.queryHeads());
    long batch = q.size(0);
    if (cached.length != batch || batch == 0) {
      throw new IllegalArgumentException(
          "Q %s has %d sequences, but there are %d caches"
              .formatted(Arrays.toString(q.shape()), batch, cached.length));
    }
    if (o.keyLengths() != null) {
      throw new IllegalArgumentException(
          "a cache knows its length: leave keyLengths out, or truncate the cache");
    }
    long heads = heads(q, o.queryHeads());
    long queries = q.size(-2);
    KeyValuePages first = cached[0];
    long keys = 0;
    for (KeyValuePages each : cached) {
      keys = Math.max(keys, each.length());
      if (each.heads() != first.heads()
          || each.depth() != first.depth()
          || each.columns() != first.columns()) {
        throw new IllegalArgumentException("the caches differ in heads or head sizes");
      }
    }
    if (heads % first.heads() != 0
        || (o.kvHeads() != 0 && o.kvHeads() != first.heads())
        || depth(q, o.queryHeads()) != first.depth()) {
      throw new IllegalArgumentException(
          "Q %s does not fit a cache of %d heads with head size %d"
              .formatted(Arrays.toString(q.shape()), first.heads(), first.depth()));
    }
    if (out.size(0) != batch
        || heads(out, o.queryHeads()) != heads
        || out.size(-2) != queries
        || depth(out, o.queryHeads()) != first.columns()) {
      throw new IllegalArgumentException(
          "the result must have %d sequences, %d heads, %d rows and head size %d, not %s"
              .formatted(batch, heads, queries, first.columns(), Arrays.toString(out.shape())));
    }
    requireWritable("the result", out);
    requireApart("Q", q, "the result", out);
    requireLengths("query", o.queryLengths(), batch, queries);
    requireMask(o, batch, heads, queries, keys, out);
    requireSlopes(o, heads);
    requireLse(q, q, q, out, o, batch, heads, queries);
  }

  static void checkAppend(KeyValuePages pages, Tensor k, Tensor v) {
    int sideBySide = k.rank() == 3 ? pages.heads() : 0;
    requireLayout("K", k, sideBySide);
    requireLayout("V", v, sideBySide);
    boolean fits =
        k.size(0) == 1
            && v.size(0) == 1
            && heads(k, sideBySide) == pages.heads()
            && heads(v, sideBySide) == pages.heads()
            && k.size(-2) == v.size(-2)
            && depth(k, sideBySide) == pages.depth()
            && depth(v, sideBySide) == pages.columns();
    if (!fits) {
      throw new IllegalArgumentException(
          ("K %s and V %s do not fit a cache of %d heads with head sizes %d and %d: it takes [1,"
                  + " heads, keys, d] or [1, keys, heads * d]")
              .formatted(
                  Arrays.toString(k.shape()),
                  Arrays.toString(v.shape()),
                  pages.heads(),
                  pages.depth(),
                  pages.columns()));
    }
  }

  private static void requireSlopes(AttentionOptions o, long heads) {
    float[] slopes = o.slopes();
    if (slopes != null && slopes.length != heads) {
      throw new IllegalArgumentException(
          "there are %d slopes for %d query heads".formatted(slopes.length, heads));
    }
  }

  private static void requireLse(
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor out,
      AttentionOptions o,
      long batch,
      long heads,
      long queries) {
    Tensor lse = o.logSumExp();
    if (lse == null) {
      return;
    }
    Arguments.requireReachable("logSumExp", lse);
    if (lse.dtype() != DType.FLOAT32
        || lse.rank() != 3
        || lse.size(0) != batch
        || lse.size(1) != heads
        || lse.size(2) != queries) {
      throw new IllegalArgumentException(
          "logSumExp must be FLOAT32 of shape [%d, %d, %d], not %s"
              .formatted(batch, heads, queries, lse));
    }
    requireWritable("logSumExp", lse);
    if (lse.isSealed()) {
      throw new IllegalArgumentException(
          "logSumExp is sealed: %s; unseal it, or take another tensor".formatted(lse));
    }
    requireApart("Q", q, "logSumExp", lse);
    requireApart("K", k, "logSumExp", lse);
    requireApart("V", v, "logSumExp", lse);
    requireApart("the result", out, "logSumExp", lse);
    Tensor mask = o.mask();
    if (mask != null) {
      requireApart("the mask", mask, "logSumExp", lse);
    }
  }

  private static void requireLayout(String name, Tensor tensor, int heads) {
    Arguments.requireFloats("attention", name, tensor);
    if (heads == 0 && tensor.rank() != 4) {
      throw new IllegalArgumentException(
          ("attention takes [batch, heads, sequence, d], but %s is %s; for [batch, sequence, heads"
                  + " * d] say how many heads there are: AttentionOptions.heads")
              .formatted(name, tensor));
    }
    if (heads > 0 && tensor.rank() != 3) {
      throw new IllegalArgumentException(
          "with AttentionOptions.heads tensors are [batch, sequence, heads * d], but %s is %s"
              .formatted(name, tensor));
    }
    if (heads > 0 && tensor.size(2) % heads != 0) {
      throw new IllegalArgumentException(
          "%d columns are no multiple of %d heads: %s, %s"
              .formatted(tensor.size(2), heads, name, tensor));
    }
    Arguments.requireReachable(name, tensor);
  }

  private static long heads(Tensor tensor, int sideBySide) {
    return sideBySide == 0 ? tensor.size(1) : sideBySide;
  }

  private static long depth(Tensor tensor, int sideBySide) {
    return sideBySide == 0 ? tensor.size(3) : tensor.size(2) / sideBySide;
  }

  private static void requireLengths(
      String what, long @Nullable [] lengths, long batch, long room) {
    if (lengths == null) {
      return;
    }
    if (lengths.length != batch) {
      throw new IllegalArgumentException(
          "there are %d %s lengths for %d sequences".formatted(lengths.length, what, batch));
    }
    for (long length : lengths) {
      if (length < 0 || length > room) {
        throw new IllegalArgumentException(
            "a %s length is from 0 to %d, not %d".formatted(what, room, length));
      }
    }
  }

  private static void requireMask(
      AttentionOptions o, long batch, long heads, long queries, long keys, Tensor out) {
    Tensor mask = o.mask();
    if (mask == null) {
      return;
    }
    if (mask.dtype() != DType.FLOAT32 && mask.dtype() != DType.BOOL) {
      throw new IllegalArgumentException("a mask is FLOAT32 or BOOL, not " + mask);
    }
    Arguments.requireReachable("the mask", mask);
    boolean fits =
        mask.rank() >= 1
            && mask.rank() <= 4
            && mask.size(-1) >= Math.min(1, keys)
            && mask.size(-1) <= Math.max(1, keys)
            && broadcasts(mask, 2, queries)
            && broadcasts(mask, 3, heads)
            && broadcasts(mask, 4, batch);
    if (!fits) {
      throw new IllegalArgumentException(
          ("the mask %s does not broadcast to [batch, heads, queries, keys] = [%d, %d, %d, %d]:"
                  + " every extent is that one, or 1, and there may be fewer keys")
              .formatted(mask, batch, heads, queries, keys));
    }
    requireApart("the mask", mask, "the result", out);
  }

  private static boolean broadcasts(Tensor mask, int fromLast, long extent) {
    return mask.rank() < fromLast || mask.size(-fromLast) == 1 || mask.size(-fromLast) == extent;
  }

  private static void requireWritable(String name, Tensor tensor) {
    if (tensor.storage().place().isReadOnly()) {
      throw new IllegalArgumentException("%s lies in read-only memory: %s".formatted(name, tensor));
    }
    if (!isNested(tensor) && overlapsItself(tensor)) {
      throw new IllegalArgumentException(
          "elements of %s share memory with each other: %s".formatted(name, tensor));
    }
  }

  /** Whether each dimension steps over all that lies within it, whatever their order. */
  private static boolean isNested(Tensor tensor) {
    long span = 1;
    int wide = 0;
    int taken = 0;
    for (int round = 0; round < tensor.rank(); round++) {
      wide += tensor.size(round) > 1 ? 1 : 0;
      // The least stride that steps over everything taken so far.
      int next = -1;
      for (int d = 0; d < tensor.rank(); d++) {
        boolean steps = tensor.size(d) > 1 && tensor.stride(d) >= span;
        next = steps && (next < 0 || tensor.stride(d) < tensor.stride(next)) ? d : next;
      }
      if (next >= 0) {
        span += (tensor.size(next) - 1) * tensor.stride(next);
        taken++;
      }
    }
    return taken == wide || tensor.elements() == 0;
  }

  private static boolean overlapsItself(Tensor tensor) {
    Tensor[] parts = parts(tensor);
    for (int s = 0; s < parts.length; s++) {
      boolean overlaps = parts[s].range().selfOverlaps();
      for (int t = 0; t < s; t++) {
        overlaps |= parts[s].range().intersects(parts[t].range());
      }
      if (overlaps) {
        return true;
      }
    }
    return false;
  }

  private static void requireApart(String name, Tensor operand, String target, Tensor out) {
    if (overlaps(operand, out)) {
      throw new IllegalArgumentException(
          "%s %s shares elements with %s %s; attention needs another place"
              .formatted(target, out, name, operand));
    }
  }

  private static boolean overlaps(Tensor x, Tensor y) {
    if (!Arguments.mayOverlap(x, y)) {
      return false;
    }
    if (x.dtype().bytes() != y.dtype().bytes()) {
      return true; // elements of other sizes across each other: not looked at any closer
    }
    for (Tensor one : parts(x)) {
      for (Tensor other : parts(y)) {
        if (Arguments.overlap(one, other)) {
          return true;
        }
      }
    }
    return false;
  }

  /** Views that fold into matrices: a sequence each. */
  private static Tensor[] parts(Tensor tensor) {
    if (tensor.rank() < 4) {
      return new Tensor[] {tensor};
    }
    var parts = new Tensor[Math.toIntExact(tensor.size(0))];
    Arrays.setAll(parts, s -> tensor.slice(0, s, s + 1));
    return parts;
  }

  private static IllegalArgumentException refused(
      Tensor q, Tensor k, Tensor v, Tensor out, String why) {
    return new IllegalArgumentException(
        "attention of Q %s, K %s, V %s into %s: %s"
            .formatted(
                Arrays.toString(q.shape()),
                Arrays.toString(k.shape()),
                Arrays.toString(v.shape()),
                Arrays.toString(out.shape()),
                why));
  }
}
