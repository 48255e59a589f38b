package dev.regolith.kernels.backend;

import java.lang.foreign.MemorySegment;

/**
 * One attention, as a backend sees it: {@code out = softmax(scale Q K^T, transformed) V} for every
 * sequence and head, with packed keys and values. Reused from call to call.
 *
 * <p>Offsets and strides are in bytes.
 */
public final class AttentionProblem {
  /** Keys in a block: what one step of the streaming softmax takes in. */
  public static final int BLOCK = 128;

  /** Blocks in a span: what is accumulated apart, so that threads can share a long row. */
  public static final int SPAN = 8;

  /** Largest head size of queries and keys: one micro-kernel walks it. */
  public static final int MAX_DEPTH = PackedB.DEPTH;

  /** Largest head size of values. */
  public static final int MAX_COLUMNS = 512;

  /** Virtual lanes that a row's weights are added up in, whatever vectors are used. */
  public static final int SUM_LANES = 16;

  /** Sequences in the batch. */
  public long batch;

  /** Query heads. */
  public int heads;

  /** Key and value heads; each serves {@code heads / kvHeads} query heads. */
  public int kvHeads;

  /** Queries of a sequence, padding included. */
  public long queries;

  /** Keys of a sequence, padding included. */
  public long keys;

  /** Head size of queries and keys. */
  public int depth;

  /** Head size of values and of the result. */
  public int columns;

  /** What queries are multiplied with. */
  public float scale;

  /** Whether evidence is made, and codes are verified. */
  public boolean verify;

  /** The queries. */
  public MemorySegment q = MemorySegment.NULL;

  /** Where the queries start. */
  public long qOffset;

  /** From a sequence's queries to the next sequence's. */
  public long qBatchStride;

  /** From a head's queries to the next head's. */
  public long qHeadStride;

  /** From a query to the next. */
  public long qRowStride;

  /** From an element of a query to the next. */
  public long qStride;

  /** Keys, as the right operand of {@code Q K^T}: a matrix for every sequence and head. */
  public PackedB k = new PackedB(BLOCK);

  /** Values, as the right operand of {@code P V}: a matrix for every sequence and head. */
  public PackedB v = new PackedB(BLOCK);

  /** Per matrix and block of keys: whether all its values are finite. */
  public boolean[] finite = {};

  /** Who sees what. */
  public Visibility visibility = new Visibility();

  /** The result; native. */
  public MemorySegment out = MemorySegment.NULL;

  /** Where the result starts. */
  public long outOffset;

  /** From a sequence's result to the next sequence's. */
  public long outBatchStride;

  /** From a head's result to the next head's. */
  public long outHeadStride;

  /** From a row of the result to the next. */
  public long outRowStride;

  /** From an element of a row to the next. */
  public long outStride;

  /** Logarithms of the sums of exponentials, {@code [batch][heads][queries]}; NULL if not asked. */
  public MemorySegment lse = MemorySegment.NULL;

  /** Blocks of keys in a sequence. */
  public long blocks() {
    return Math.ceilDiv(keys, BLOCK);
  }

  /** Query heads that share a key head. */
  public int group() {
    return heads / kvHeads;
  }

  /** Matrix of packed keys and values. */
  public long matrix(long sequence, int kvHead) {
    return sequence * kvHeads + kvHead;
  }

  /** Index into {@link #finite}. */
  public int finiteAt(long matrix, long block) {
    return Math.toIntExact(matrix * blocks() + block);
  }

  /** First byte of a query. */
  public long query(long sequence, long head, long row) {
    return qOffset + sequence * qBatchStride + head * qHeadStride + row * qRowStride;
  }

  /** First byte of a row of the result. */
  public long result(long sequence, long head, long row) {
    return outOffset + sequence * outBatchStride + head * outHeadStride + row * outRowStride;
  }

  /** Byte of a row's logarithm. */
  public long lseAt(long sequence, long head, long row) {
    return 4 * ((sequence * heads + head) * queries + row);
  }

  /** Takes over everything of another problem. */
  public void copyFrom(AttentionProblem other) {
    batch = other.batch;
    heads = other.heads;
    kvHeads = other.kvHeads;
    queries = other.queries;
    keys = other.keys;
    depth = other.depth;
    columns = other.columns;
    scale = other.scale;
    verify = other.verify;
    q = other.q;
    qOffset = other.qOffset;
    qBatchStride = other.qBatchStride;
    qHeadStride = other.qHeadStride;
    qRowStride = other.qRowStride;
    qStride = other.qStride;
    k = other.k;
    v = other.v;
    finite = other.finite;
    visibility = other.visibility;
    out = other.out;
    outOffset = other.outOffset;
    outBatchStride = other.outBatchStride;
    outHeadStride = other.outHeadStride;
    outRowStride = other.outRowStride;
    outStride = other.outStride;
    lse = other.lse;
  }
}
