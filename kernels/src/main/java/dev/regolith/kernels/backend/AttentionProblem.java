package dev.regolith.kernels.backend;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

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

  private static final int BLOCKS_IN_DEPTH = PackedB.DEPTH / BLOCK;

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

  /** Keys and values of every sequence, where they are cached; then there are no others. */
  public KeyValuePages @Nullable [] pages;

  /**
   * Whether what is read of cached pages is verified where it is read: by kernels that compare
   * digests, where one region reads all keys of a head and is low enough for them; by a device.
   */
  public boolean checksInline;

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

  /**
   * Where queries and result are, if an accelerator has them: then neither is here, and both are
   * all there is of their words, from the first one on.
   */
  public @Nullable ResidentAttention resident;

  /** Logarithms of the sums of exponentials, {@code [batch][heads][queries]}; NULL if not asked. */
  public MemorySegment lse = MemorySegment.NULL;

  /** Where these start, in bytes. */
  public long lseOffset;

  /** Blocks of keys in a sequence. */
  public long blocks() {
    return Math.ceilDiv(keys, BLOCK);
  }

  /** Query heads that share a key head. */
  public int group() {
    return heads / kvHeads;
  }

  /** Key and value head that a query head reads. */
  public int kvHeadOf(int head) {
    return head / group();
  }

  /** Packed keys of a block. */
  public PackedB keys(long sequence, long block) {
    return pages == null ? k : pages[(int) sequence].keys(block);
  }

  /** Packed values of a block. */
  public PackedB values(long sequence, long block) {
    return pages == null ? v : pages[(int) sequence].values(block);
  }

  /** Matrix of packed keys and values. */
  public long matrix(long sequence, int kvHead) {
    return pages == null ? sequence * kvHeads + kvHead : kvHead;
  }

  /** Check block of packed keys that holds a block. */
  public long keyBlock(long block) {
    return pages == null ? block : 0;
  }

  /** K-block of packed values that holds a block. */
  public int valueBlock(long block) {
    return pages == null ? (int) (block / BLOCKS_IN_DEPTH) : 0;
  }

  /** Steps of that k-block before the block. */
  public int valueStep(long block) {
    return pages == null ? (int) (block % BLOCKS_IN_DEPTH) * BLOCK : 0;
  }

  /** Panels of keys in a block. */
  public int tiles(long block) {
    return pages == null ? k.panelsOf(block) : BLOCK / pages[0].panelColumns();
  }

  /** Whether all values of a block are finite. */
  public boolean isFinite(long sequence, int kvHead, long block) {
    return pages == null
        ? finite[finiteAt(matrix(sequence, kvHead), block)]
        : pages[(int) sequence].isFinite(block, kvHead);
  }

  /** Element of a key. */
  public float key(long sequence, int kvHead, long key, int i) {
    long block = key / BLOCK;
    long column = pages == null ? key : key % BLOCK;
    return keys(sequence, block).get(matrix(sequence, kvHead), i, column);
  }

  /** Element of a value. */
  public float value(long sequence, int kvHead, long key, int c) {
    long block = key / BLOCK;
    long step = pages == null ? key : key % BLOCK;
    return values(sequence, block).get(matrix(sequence, kvHead), step, c);
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
    return lseOffset + 4 * ((sequence * heads + head) * queries + row);
  }

  /** Takes over everything of another problem, to be computed here. */
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
    pages = other.pages;
    checksInline = false;
    resident = null;
    visibility = other.visibility;
    out = other.out;
    outOffset = other.outOffset;
    outBatchStride = other.outBatchStride;
    outHeadStride = other.outHeadStride;
    outRowStride = other.outRowStride;
    outStride = other.outStride;
    lse = other.lse;
    lseOffset = other.lseOffset;
  }
}
