package dev.regolith.kernels;

import dev.regolith.kernels.attention.AttentionOptions;
import dev.regolith.kernels.backend.Backend;
import dev.regolith.kernels.backend.KeyValuePages;
import dev.regolith.kernels.backend.Residence;
import dev.regolith.kernels.backend.RowOperator;
import dev.regolith.kernels.backend.Workspace;
import dev.regolith.kernels.backend.scalar.ScalarGemm;
import dev.regolith.kernels.checksum.SealGrid;
import dev.regolith.kernels.exec.Team;
import dev.regolith.kernels.fault.EvidenceLevel;
import dev.regolith.kernels.fault.FaultCounters;
import dev.regolith.kernels.fault.Protection;
import dev.regolith.kernels.fault.Status;
import dev.regolith.kernels.guard.Arrivals;
import dev.regolith.kernels.guard.FaultLog;
import dev.regolith.kernels.guard.Scrubber;
import dev.regolith.kernels.memory.Storage;
import dev.regolith.kernels.memory.Watch;
import dev.regolith.kernels.op.Attention;
import dev.regolith.kernels.op.Execution;
import dev.regolith.kernels.op.Gemm;
import dev.regolith.kernels.op.Residents;
import dev.regolith.kernels.op.RowOperators;
import dev.regolith.kernels.tensor.DType;
import dev.regolith.kernels.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What a user computes with: workers, buffers, a protection mode, and a method per operator.
 *
 * <p><b>Threads.</b> Any thread may call, also several at once: one of them gets the session's
 * workers, the others compute on their own thread meanwhile. {@link #close} waits for calls in
 * progress.
 *
 * <p><b>Memory.</b> In the steady state (same shapes as before) calls allocate nothing on the heap,
 * except a little for every command to a device, where one computes. Buffers grow with the largest
 * call and are kept until the session is closed.
 *
 * <p><b>Results.</b> Every element of a product, in float32, is one chain of fused multiply-adds in
 * increasing k, {@code acc = fma(a[i][k], b[k][j], acc)} from +0; then {@code alpha * acc} or
 * {@code fma(alpha, acc, beta * c)}. The bits do not depend on threads, batch, vector width,
 * protection, or on whether a fault was corrected on the way. Any NaN equals any NaN.
 *
 * <p><b>Out of reach.</b> What is damaged before it is first sealed (by {@link #pack}, {@link
 * #seal}, an operator that writes it, or the first read of a call) counts as the caller's data.
 */
public final class Session implements AutoCloseable {
  private static final int CLOSED = 1 << 30;

  private final AtomicInteger inFlight = new AtomicInteger();
  private final Arena arena = Arena.ofShared();
  private final boolean strict;
  private final Execution execution;
  private final Gemm gemm;
  private final Attention attention;
  private final RowOperators rows;

  private final Caches caches = new Caches();
  private final Set<CallQueue> queues = ConcurrentHashMap.newKeySet();
  private volatile @Nullable Thread closer;
  private volatile boolean closing;

  Session(SessionOptions options) {
    strict = options.strict();
    Backends.checkThread(strict);
    Backend backend = Backends.choose(options);
    var helpers =
        IntStream.range(1, options.threads()).mapToObj(i -> backend.newWorkspace()).toList();
    var log = new FaultLog(options.listener(), options.callListener());
    Residence residence = backend.residence();
    Arrivals arrivals = null;
    if (residence != null) {
      arrivals = new Arrivals(backend, log, options.protection(), options.probation());
      residence.onArrival(arrivals);
    }
    execution =
        new Execution(
            new Team(
                options.threads(), options.spin().toNanos(), () -> Backends.checkThread(false)),
            helpers,
            backend,
            new ScalarGemm(),
            log,
            new Scrubber(backend, log, options.protection()),
            options.protection(),
            options.probation(),
            arrivals);
    gemm = new Gemm(execution);
    attention = new Attention(execution);
    rows = new RowOperators(execution);
  }

  /** {@code C = A B}; see {@link #gemm(float, Tensor, Tensor, float, Tensor)}. */
  public Status gemm(Tensor a, Tensor b, Tensor c) {
    return gemm(1, a, b, 0, c);
  }

  /**
   * {@code C = alpha A B + beta C} in float32.
   *
   * <p>Types: A, B and C are {@code FLOAT32}, {@code BFLOAT16} or {@code FLOAT16}, each on its own;
   * so it is with all operators. Operands of 16 bits, and an old C, are widened, exactly; a result
   * is rounded once, to the nearest. Both pass through float32 copies, whose memory the session
   * keeps: weights are better packed. A result of 16 bits that has to be given up is NaN as a
   * whole, and where an operand of 16 bits is beyond repair, a result of 32 bits is left alone; one
   * that begins or ends within a word of 32 bits, or whose outer dimensions do not fold, is not
   * sealed by itself, but seals around it go on.
   *
   * <p>Shapes: A {@code [m, k]}, B {@code [k, n]}, C {@code [m, n]}, or batches of them, {@code
   * [batch, ...]}, where A or B may be one matrix for all. Any strides: a transpose is {@link
   * Tensor#transposed}, a leading dimension or sub-range {@link Tensor#strided} or {@link
   * Tensor#slice}. Fastest are A with unit stride along k, and off-heap memory. {@code beta == 0}
   * never reads C, {@code alpha == 0} never reads A or B.
   *
   * <p>Operands must not be written by others during the call. A damaged word of a sealed operand,
   * or one that changed between the call's first read and its last, is put back in the caller's
   * memory.
   *
   * <p>C is sealed as it is stored, if its memory was never handed out for writing or it was sealed
   * before.
   *
   * @return whether anything was found; the result is right unless {@link Status#DETECTED}
   * @throws IllegalArgumentException if shapes or types do not fit, or C shares an element with A,
   *     B or itself; nothing was written
   * @throws IllegalStateException if the session or an arena is closed; nothing was written, unless
   *     an arena was closed, or B written, while it was read: then C holds neither the old values
   *     nor a result
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if a block of C could be neither
   *     verified nor reproduced; it holds NaN
   */
  public Status gemm(float alpha, Tensor a, Tensor b, float beta, Tensor c) {
    enter();
    try {
      return gemm.multiply(alpha, a, b, beta, c);
    } finally {
      leave();
    }
  }

  /**
   * {@code C = A B} with packed B; see {@link #gemm(float, Tensor, PackedMatrix, float, Tensor)}.
   */
  public Status gemm(Tensor a, PackedMatrix b, Tensor c) {
    return gemm(1, a, b, 0, c);
  }

  /**
   * {@code C = alpha A B + beta C} with B packed ahead, as in {@code gemm(x, weights.transposed(),
   * y)}; otherwise like {@link #gemm(float, Tensor, Tensor, float, Tensor)}.
   */
  public Status gemm(float alpha, Tensor a, PackedMatrix b, float beta, Tensor c) {
    enter();
    try {
      return gemm.multiply(alpha, a, b.asRightOperand(), beta, c);
    } finally {
      leave();
    }
  }

  /** {@code out = softmax(Q K^T / sqrt(d)) V}; see {@link #attention} with options. */
  public Status attention(Tensor q, Tensor k, Tensor v, Tensor out) {
    return attention(q, k, v, out, AttentionOptions.defaults());
  }

  /**
   * Scaled dot-product attention in float32, streaming over keys: no buffer grows with queries
   * times keys. Q, K, V and the result may have 16 bits, see {@link #gemm(float, Tensor, Tensor,
   * float, Tensor)}.
   *
   * <p>Shapes: Q {@code [batch, heads, queries, d]}, K {@code [batch, kvHeads, keys, d]}, V {@code
   * [batch, kvHeads, keys, dv]}, result {@code [batch, heads, queries, dv]}; or, with {@link
   * AttentionOptions#heads}, {@code [batch, sequence, heads * d]}. {@code heads} is a multiple of
   * {@code kvHeads}, and query head {@code h} reads key head {@code h / (heads / kvHeads)}. Head
   * sizes go up to 512. Any strides; fastest is off-heap memory with unit stride in the last
   * dimension.
   *
   * <p>Masks, lengths, causality, windows, slopes, softcap: {@link AttentionOptions}. NaN in a key
   * or value reaches the rows that read it and no others.
   *
   * <p>The bits are those of the scalar loop in docs/numerics.md, whatever the threads, batch,
   * strides, vector width and protection.
   *
   * @return whether anything was found; the result is right unless {@link Status#DETECTED}
   * @throws IllegalArgumentException if shapes or types do not fit, or the result shares elements
   *     with an operand or itself; nothing was written
   * @throws IllegalStateException if the session or an arena is closed; nothing was written
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if rows could be neither
   *     verified nor reproduced; they, and their log-sum-exp, hold NaN (not the log-sum-exp, where
   *     it was an operand of 16 bits that is beyond repair: then nothing was computed)
   */
  public Status attention(Tensor q, Tensor k, Tensor v, Tensor out, AttentionOptions options) {
    enter();
    try {
      return attention.attend(q, k, v, out, options);
    } finally {
      leave();
    }
  }

  /**
   * An empty cache for the keys and values of one sequence.
   *
   * @param kvHeads key and value heads
   * @param headSize of keys, at most 512
   * @param valueSize head size of values, at most 512
   */
  public KeyValueCache cache(int kvHeads, int headSize, int valueSize) {
    enter();
    try {
      if (kvHeads < 1 || headSize < 1 || headSize > 512 || valueSize < 1 || valueSize > 512) {
        throw new IllegalArgumentException(
            "a cache has 1 head or more, and head sizes from 1 to 512, not %d, %d and %d"
                .formatted(kvHeads, headSize, valueSize));
      }
      return caches.add(attention.pages(kvHeads, headSize, valueSize));
    } finally {
      leave();
    }
  }

  /**
   * Appends keys and values to a cache: K {@code [1, kvHeads, keys, d]} and V {@code [1, kvHeads,
   * keys, dv]}, or {@code [1, keys, kvHeads * d]}; any strides. What is read is what is kept: a
   * damaged word of a sealed operand is put back and read again. A call that throws leaves the
   * cache as it was.
   *
   * @return whether anything was found
   * @throws IllegalArgumentException if shapes do not fit the cache
   * @throws IllegalStateException if the cache, the session or an arena is closed
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if an operand, or the page that
   *     is appended to, is damaged beyond repair
   */
  public Status append(KeyValueCache cache, Tensor k, Tensor v) {
    enter();
    try {
      return execution.worst(attention.append(cache.pages(), k, v));
    } finally {
      leave();
    }
  }

  /**
   * Attention over cached keys and values; otherwise like {@link #attention(Tensor, Tensor, Tensor,
   * Tensor, AttentionOptions)}, with the same bits. Query heads of one key head read its keys once.
   * With the default alignment the last query stands at the last key, which was appended before.
   *
   * @param sequences a cache for every sequence of the batch, of any length each
   */
  public Status attention(
      Tensor q, List<KeyValueCache> sequences, Tensor out, AttentionOptions options) {
    enter();
    try {
      KeyValuePages[] pages = caches.pagesOf(sequences);
      try {
        return attention.attend(q, pages, out, options);
      } finally {
        caches.giveBack(pages);
      }
    } finally {
      leave();
    }
  }

  /** {@link #softmax(float, Tensor, Tensor)} with scale 1. */
  public Status softmax(Tensor x, Tensor out) {
    return softmax(1, x, out);
  }

  /**
   * {@code out = exp(scale x) / sum(exp(scale x))} along the last dimension, in float32.
   *
   * <p>What holds for all operators of rows, from here to {@link #add}: tensors of any rank from 1
   * whose outer dimensions fold into one stride; any other strides, heap or off-heap (fastest:
   * off-heap with unit stride in the last dimension), of 32 or 16 bits, see {@link #gemm(float,
   * Tensor, Tensor, float, Tensor)}; x and {@code out} of one shape. {@code out} may be the very
   * tensor that is read row by row, but may not share elements in any other way. Rows are shared
   * out to the session's threads; nothing is allocated on the heap. Orders of operations, error
   * bounds and what protects every step: docs/operators.md. Faults are dealt with as in {@link
   * #gemm(float, Tensor, Tensor, float, Tensor)}; a result is sealed likewise. NaN stays within its
   * row.
   *
   * <p>Rows of nothing but minus infinity become zeros, as fully masked rows of an attention do. A
   * NaN or an infinity that is not masked away makes its row NaN.
   *
   * @return whether anything was found; the result is right unless {@link Status#DETECTED}
   * @throws IllegalArgumentException if shapes, types or places do not fit; nothing was written
   * @throws IllegalStateException if the session or an arena is closed; nothing was written
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if rows could be neither
   *     verified nor reproduced; the result holds NaN
   */
  public Status softmax(float scale, Tensor x, Tensor out) {
    enter();
    try {
      return rows.softmax(scale, x, out);
    } finally {
      leave();
    }
  }

  /**
   * {@code out = x / sqrt(mean(x^2) + epsilon) * weight} along the last dimension (Zhang and
   * Sennrich, 2019), with weights {@code [columns]}; otherwise like {@link #softmax(float, Tensor,
   * Tensor)}.
   */
  public Status rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor out) {
    return norm(false, x, null, weight, null, epsilon, null, out);
  }

  /**
   * {@code sum = x + residual}, and the {@link #rmsNorm(Tensor, Tensor, float, Tensor)} of that sum
   * into {@code out}. The sum may be x or the residual itself.
   */
  public Status rmsNorm(
      Tensor x, Tensor residual, Tensor weight, float epsilon, Tensor sum, Tensor out) {
    return norm(false, x, residual, weight, null, epsilon, sum, out);
  }

  /**
   * {@code out = (x - mean(x)) / sqrt(variance(x) + epsilon) * weight + bias} along the last
   * dimension (Ba et al., 2016), with weights and biases {@code [columns]}; otherwise like {@link
   * #softmax(float, Tensor, Tensor)}.
   *
   * @param bias null for none
   */
  public Status layerNorm(
      Tensor x, Tensor weight, @Nullable Tensor bias, float epsilon, Tensor out) {
    return norm(true, x, null, weight, bias, epsilon, null, out);
  }

  /**
   * {@code sum = x + residual}, and the {@link #layerNorm(Tensor, Tensor, Tensor, float, Tensor)}
   * of that sum into {@code out}. The sum may be x or the residual itself.
   */
  public Status layerNorm(
      Tensor x,
      Tensor residual,
      Tensor weight,
      @Nullable Tensor bias,
      float epsilon,
      Tensor sum,
      Tensor out) {
    return norm(true, x, residual, weight, bias, epsilon, sum, out);
  }

  private Status norm(
      boolean centred,
      Tensor x,
      @Nullable Tensor residual,
      Tensor weight,
      @Nullable Tensor bias,
      float epsilon,
      @Nullable Tensor sum,
      Tensor out) {
    enter();
    try {
      return rows.norm(centred, x, residual, weight, bias, epsilon, sum, out);
    } finally {
      leave();
    }
  }

  /**
   * Rotary positions of {@code [.., sequence, dim]}, such as {@code [batch, heads, sequence, dim]}:
   * row s of a sequence is turned by the angles of position {@code first + s}. Otherwise like
   * {@link #softmax(float, Tensor, Tensor)}.
   */
  public Status rope(Tensor x, Rotary rotary, long first, Tensor out) {
    return rope(x, rotary, first, false, out);
  }

  /** The same for {@code [.., sequence, heads, dim]}: all heads of a position are turned alike. */
  public Status ropeOfHeads(Tensor x, Rotary rotary, long first, Tensor out) {
    return rope(x, rotary, first, true, out);
  }

  private Status rope(Tensor x, Rotary rotary, long first, boolean headsWithin, Tensor out) {
    enter();
    try {
      boolean interleaved = rotary.convention() == Rotary.Convention.INTERLEAVED;
      return rows.rope(interleaved, x, rotary.cos(), rotary.sin(), first, headsWithin, out);
    } finally {
      leave();
    }
  }

  /** {@code out = f(x)}; otherwise like {@link #softmax(float, Tensor, Tensor)}. */
  public Status activate(Activation f, Tensor x, Tensor out) {
    return map(f.operator(), x, null, out);
  }

  /** {@code out = f(gate) * up}, as in SwiGLU and GeGLU (Shazeer, 2020); may be either's place. */
  public Status activate(Activation f, Tensor gate, Tensor up, Tensor out) {
    return map(f.operator(), gate, up, out);
  }

  /** {@code out = x + y}; otherwise like {@link #softmax(float, Tensor, Tensor)}. */
  public Status add(Tensor x, Tensor y, Tensor out) {
    return map(RowOperator.ADD, x, y, out);
  }

  private Status map(RowOperator operator, Tensor x, @Nullable Tensor y, Tensor out) {
    enter();
    try {
      return rows.map(operator, x, y, out);
    } finally {
      leave();
    }
  }

  /**
   * Packs weights {@code [outFeatures, inFeatures]} into memory of this session; they are freed
   * when it is closed. For a {@code [K, N]} matrix pass its {@code transposed()}.
   *
   * <p>Weights of 16 bits are packed as the float32 numbers that they are, so that products are
   * those of the widened weights, bit for bit. While they are packed, that takes the memory of the
   * weights in float32 once more.
   *
   * @throws IllegalArgumentException if weights are no matrix, or of another type
   * @throws IllegalStateException if their arena, or the session, is closed, or they change faster
   *     than they can be packed
   */
  public PackedMatrix pack(Tensor weights) {
    return pack(arena, weights);
  }

  /** The same, into memory of the caller's arena. */
  public PackedMatrix pack(Arena target, Tensor weights) {
    enter();
    try {
      return new PackedMatrix(gemm.pack(target, weights), false);
    } finally {
      leave();
    }
  }

  /**
   * Has an accelerator hold the words of a tensor, so that operators that read it find them there.
   * A row operator computes there if x or y is there, attention if its queries are; a product
   * leaves its result there if A is there. What stays there comes back when somebody asks for it.
   *
   * <p>What is copied is all of the tensor's memory. Operators use it there if their tensor is all
   * of that: products and row operators if it is row-major, attention if a row's words follow each
   * other; others read it here. A row-major tensor that is all of its memory is sealed in this
   * shape, as {@link #seal} does it and as results are, unless seals of any shape speak of it, or
   * the session does not protect: so a product whose evidence is made there ({@link
   * EvidenceLevel#DEVICE}) reads nothing of it here, and {@link Tensor#segment} is read-only from
   * here on.
   *
   * @return whether it does; not without an accelerator, nor if elements have fewer than 32 bits,
   *     or if the memory is the caller's, was handed out as a segment, or is confined to a thread
   */
  public boolean upload(Tensor tensor) {
    enter();
    try {
      Residence residence = execution.backend().residence();
      boolean words = tensor.dtype().bytes() == Integer.BYTES;
      if (residence == null || !words || !residence.upload(tensor.storage())) {
        return false;
      }
      if (protection() != Protection.OFF && Residents.isAlone(tensor)) {
        var grid = (SealGrid) tensor.storage().watchOf(tensor.range(), SealGrid::new);
        grid.sealUnlessInForce(tensor.storage()::segment);
      }
      return true;
    } finally {
      leave();
    }
  }

  /**
   * Seals a tensor as it is now: of 32-bit elements, or of 16-bit floats that fill words of 32 bits
   * in native memory, two in each. From here on every operator that reads it notices, finds and
   * undoes a changed word; {@link Tensor#segment} is read-only, and writing goes through {@link
   * #edit}.
   */
  public void seal(Tensor tensor) {
    enter();
    try {
      DType type = tensor.dtype();
      if (type.bytes() != Integer.BYTES && !type.isHalf()) {
        throw new IllegalArgumentException(
            "seals count words of 32 bits; an element of type %s has %d: %s"
                .formatted(type, 8 * type.bytes(), tensor));
      }
      if (!tensor.fillsWords()) {
        throw new IllegalArgumentException(
            "seals count words of 32 bits; %s does not fill words of native memory, which take two"
                    .formatted(tensor)
                + " elements each; seal what lies beside it as well");
      }
      if (tensor.words().selfOverlaps()) {
        throw new IllegalArgumentException(
            "elements of the tensor share memory with each other: " + tensor);
      }
      Storage storage = tensor.storage();
      var grid = (SealGrid) storage.watchOf(tensor.words(), SealGrid::new);
      grid.sealAll(storage.segment());
    } finally {
      leave();
    }
  }

  /** Takes the seals off a tensor: its memory is the caller's again. */
  public void unseal(Tensor tensor) {
    Storage storage = tensor.storage();
    storage.segment(); // words that are away are verified when they arrive
    for (Watch watch : storage.watches()) {
      if (watch.range().intersects(tensor.words())) {
        ((SealGrid) watch).inForce(false);
        storage.remove(watch);
      }
    }
  }

  /**
   * Verifies the seals of a tensor, and puts back what changed.
   *
   * @return {@link Status#CLEAN} also if it is not sealed
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if more changed than a seal
   *     undoes
   */
  public Status verify(Tensor tensor) {
    enter();
    try {
      return execution.worst(execution.scrubber().scrub("verify", tensor));
    } finally {
      leave();
    }
  }

  /**
   * Verifies packed weights, with their check vectors and seals, and the copy that a device may
   * have of them; puts back what changed, the device's copy from the host's. Products verify what
   * they read by themselves: this is for weights that lie idle.
   *
   * @return {@link Status#CLEAN} also if they were packed by a session without protection
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if more changed than a seal
   *     undoes
   */
  public Status verify(PackedMatrix weights) {
    enter();
    try {
      return gemm.verify(weights.packed());
    } finally {
      leave();
    }
  }

  /**
   * Verifies all pages of a cache, with their check vectors and seals, and the copy that a device
   * may have of them; puts back what changed, the device's copy from the host's. Attention verifies
   * what it reads by itself: this is for caches that lie idle, and for the pages of those that a
   * device has a copy of, which is what it reads.
   *
   * @return {@link Status#CORRECTED} if anything was put back, {@link Status#DETECTED} if the
   *     session only detects
   * @throws dev.regolith.kernels.fault.UncorrectableFaultException if more changed than a seal
   *     undoes
   */
  public Status verify(KeyValueCache cache) {
    enter();
    try {
      return execution.scrubber().scrub("verify", cache.pages());
    } finally {
      leave();
    }
  }

  /**
   * Opens a scope in which a tensor may be written. Its seals are verified first, so that damage is
   * not sealed over.
   */
  public Edit edit(Tensor tensor) {
    enter();
    try {
      execution.scrubber().scrub("edit", tensor);
      return new Edit(tensor);
    } finally {
      leave();
    }
  }

  /** Makes calls while the caller goes on, and returns their futures. Close it. */
  public CallQueue newQueue() {
    enter();
    try {
      var queue = new CallQueue(this, queues::remove);
      queues.add(queue);
      if (closing) {
        queue.close();
        throw new IllegalStateException("the session is closed");
      }
      return queue;
    } finally {
      leave();
    }
  }

  /** What was counted since the session was opened. */
  public FaultCounters counters() {
    return execution.log().counters();
  }

  /** Name and width of what computes. */
  public String backend() {
    return execution.backend().name();
  }

  /**
   * Everything that decides how results are protected, and nothing else: two sessions with equal
   * configurations give a campaign and a benchmark the same subject. In a fixed order.
   */
  public SequencedMap<String, String> configuration() {
    return Configuration.of(protection(), execution.backend(), execution.twin().name());
  }

  /**
   * Whether products have, from here on, the bits of the canonical order of docs/numerics.md. Not
   * as long as a vendor's library multiplies, which somebody has to ask for, or a device whose
   * arithmetic does not promise them (docs/accelerators.md): then they are within the envelope, and
   * may depend on the number of threads, on the protection, and on what else is computed in the
   * same call.
   */
  public boolean isCanonical() {
    return execution.backend().ownBits().isEmpty();
  }

  /** Threads a call may use. */
  public int threads() {
    return execution.team().threads();
  }

  /** What is done about faults. */
  public Protection protection() {
    return execution.protection();
  }

  private void enter() {
    Backends.checkThread(strict);
    if (inFlight.incrementAndGet() >= CLOSED) {
      leave();
      throw new IllegalStateException("the session is closed");
    }
    execution.begin();
  }

  private void leave() {
    if (inFlight.decrementAndGet() == CLOSED) {
      LockSupport.unpark(closer);
    }
  }

  /**
   * Waits for calls in progress, and for those that wait in queues, ends the workers, frees all
   * memory of the session. Idempotent.
   *
   * @throws IllegalStateException if a call of a queue closes it
   */
  @Override
  public void close() {
    queues.forEach(CallQueue::refuseItself);
    closing = true;
    queues.forEach(CallQueue::close);
    int before = inFlight.getAndUpdate(count -> count | CLOSED);
    if (before >= CLOSED) {
      return;
    }
    closer = Thread.currentThread();
    while (inFlight.get() != CLOSED) {
      LockSupport.parkNanos(this, 1_000_000);
    }
    caches.close();
    gemm.close();
    attention.close();
    rows.close();
    execution.team().close();
    execution.helpers().forEach(Workspace::close);
    execution.backend().close();
    arena.close();
  }
}
