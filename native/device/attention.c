
/*
 * Attention in the canonical order: scores, exponentials and sums of a block of keys at a time,
 * blocks in spans, spans merged in order.
 *
 * A score is one chain fma(scale q[i], k[i], score) in increasing i; a row's weights are added up in
 * LANES lanes, and these in pairs that lie half of them apart; a value is one chain over the keys of
 * a span. Nothing here may be contracted or reassociated.
 *
 * The host passes as macros, beside those of common.c:
 *   KEYS         keys in a block
 *   SPAN         blocks in a span
 *   LANES        lanes of a row's sum
 *   TILES        tiles, side by side, of values that a work-item keeps; VECTORS vectors wide each
 *   CHUNK        words that scan_words sums up together
 *
 * What the host describes a region with lies in one buffer, which is summed up after its last use:
 *   queries      [row][depth], dense; none if they are read where a tensor has them
 *   mask         rows of floats, added to scores; minus infinity hides a key
 *   rows         [row][ROW_ENTRY], padded to whole tiles of rows that see nothing
 *   blocks       a word each: 1 if all values of the block are finite
 *
 * These words may be damaged, and no address depends on them: what lies where is in the arguments.
 */
#define ROW_ENTRY 4
#define ROW_FROM 0     /* the first key that it sees */
#define ROW_TO 1       /* behind the last */
#define ROW_POSITION 2 /* the key position that it stands at */
#define ROW_SLOPE 3    /* bits of a float */

/* What is known of a span beside its values, and of all that were merged. */
#define SPAN_ENTRY 3
#define SPAN_MAX 0   /* the largest score */
#define SPAN_SUM 1   /* the sum of weights */
#define SPAN_STAMP 2 /* the run that this is of, and the first span of its launch */

/* Flags of a run. */
#define SLOPES 1
#define MASKED 2
#define TURNED 4
#define CHECKED 8
#define KEPT_TWICE 16

/* Rows of scores lie as far apart as neighbours do not meet in one bank of local memory. */
#define PITCH (KEYS + (GROUP > 1 ? 4 : 0))
/* Work-items that share a row's softmax. */
#define SHARERS (GROUP > GROUP_ROWS ? GROUP / GROUP_ROWS : 1)
/* Neighbouring scores of a row that one of them takes; all take turns. */
#define SHARE (4 * WIDTH)
#if KEYS % GROUP_COLUMNS || LANES % SHARERS || GROUP % SHARERS || HALF % (SHARERS * SHARE)
#error "a tile that its work-items cannot share evenly"
#endif
/* Steps whose operands are read before any of them is used: what hides a GPU's memory. */
#if GROUP > 1
#define SYNC BARRIER
#define AHEAD 4
#else
#define SYNC
#define AHEAD 1
#endif

/* What a row sees keys through; its mask, where there is one, lies at mask + key. */
typedef struct {
  ulong from, to, mask;
  slong position;
  float slope;
} Row;

/* Row number row of rows; keys that it sees lie in [lowest, highest), whatever is written there. */
FUNCTION Row row_of(
    GLOBAL const ulong* RESTRICT rows, const ulong row, const ulong lowest, const ulong highest) {
  GLOBAL const ulong* entry = rows + row * ROW_ENTRY;
  Row r;
  r.from = entry[ROW_FROM] < lowest ? lowest : entry[ROW_FROM];
  r.to = min(entry[ROW_TO], highest);
  r.position = (slong)entry[ROW_POSITION];
  r.slope = as_float((uint)entry[ROW_SLOPE]);
  return r;
}

FUNCTION int hides(
    const Row* r, GLOBAL const float* RESTRICT operands, const ulong key, const uint flags) {
  return key < r->from || key >= r->to ||
         (flags & MASKED && operands[r->mask + key] == NEGATIVE_INFINITY);
}

/* What reaches the softmax of a score. */
FUNCTION float transformed(
    float score,
    const Row* r,
    GLOBAL const float* RESTRICT operands,
    const ulong key,
    const float softcap,
    const uint flags) {
  if (hides(r, operands, key, flags)) {
    return NEGATIVE_INFINITY;
  }
  if (softcap > 0) {
    score = softcap * hyperbolic_tangent(score / softcap);
  }
  if (flags & SLOPES) {
    score = fma(r->slope, (float)((slong)key - r->position), score);
  }
  return flags & MASKED ? score + operands[r->mask + key] : score;
}

/* What exponents are taken relative to. */
FUNCTION float reference_for(const float max) {
  return max == NEGATIVE_INFINITY ? 0.0f : max;
}

/* A power of e that a row's sums so far are multiplied with, when its maximum grows. */
FUNCTION float decay_of(const float before, const float max) {
  if (before == max && max > NEGATIVE_INFINITY) {
    return 1.0f; /* as exponential(0) is: mostly it does not grow */
  }
  return exponential(before - reference_for(max));
}

/*
 * Queries times scale, a tile of rows per work-group: [tile][i][GROUP_ROWS]. A tile has rows of one
 * key head; those behind its last are zeros. Behind all tiles follows a word for each: the stamp of
 * the run. Whoever reads them hands it on, so that what an earlier run left, because a kernel never
 * ran, is not taken for new. Behind these follow sums of the tiles' words.
 *
 * place: of the first row, in floats; from there of_head on for each further queries rows, those of
 * a query head, and of_query between them. rows: of a key head. tiles: of all heads.
 */
#define TILES_OF_HEAD ((rows + GROUP_ROWS - 1) / GROUP_ROWS)

KERNEL(SCANNERS) void scale_queries(
    GLOBAL const float* RESTRICT from,
    GLOBAL float* RESTRICT scaled,
    const ulong place,
    const ulong of_head,
    const ulong of_query,
    const ulong queries,
    const ulong depth,
    const ulong rows,
    const ulong tiles,
    const ulong stamp,
    const float scale) {
  GLOBAL float* tile = scaled + GROUP_X * depth * GROUP_ROWS;
  const ulong before = GROUP_X / TILES_OF_HEAD * rows;
  const ulong first = GROUP_X % TILES_OF_HEAD * GROUP_ROWS;
  LOCAL uint sums[SCANNERS];
  uint sum = 0;
  for (uint r = 0; r < GROUP_ROWS; r++) {
    const ulong row = min(first + r, rows - 1), all = before + row;
    GLOBAL const float* own =
        from + place + all / queries * of_head + all % queries * of_query;
    for (ulong i = ITEM; i < depth; i += SCANNERS) {
      const float x = first + r < rows ? own[i] * scale : 0.0f;
      sum += as_uint(x);
      tile[i * GROUP_ROWS + r] = x;
    }
  }
  sums[ITEM] = sum;
#if SCANNERS > 1
  BARRIER;
#endif
  if (ITEM == 0) {
    GLOBAL float* ends = scaled + tiles * depth * GROUP_ROWS + GROUP_X;
    for (uint n = 1; n < SCANNERS; n++) {
      sum += sums[n];
    }
    ends[0] = as_float((uint)stamp);
    ends[tiles] = as_float(sum);
  }
}

FUNCTION void open_panel(Running sums[VECTORS]) {
  UNROLL for (int j = 0; j < VECTORS; j++) {
    clear(&sums[j]);
  }
}

/* The sums of a panel of so many steps into an entry; see scan_panels. */
FUNCTION void close_panel(
    const Running sums[VECTORS], GLOBAL ulong* entry, const ulong steps, const ulong launch) {
  Sums total = {0, 0, 0};
  UNROLL for (int j = 0; j < VECTORS; j++) {
    fold(&total, &sums[j], j * WIDTH + 1, steps, PANEL);
  }
  put(entry, &total, launch);
}

/* Vectors of so many steps of panels, which go on to the next; sums, if there are some, take them. */
FUNCTION void read_panels(
    FLOATS x[AHEAD][VECTORS], GLOBAL const float* panel[VECTORS], Running* sums, const int steps) {
  UNROLL for (int s = 0; s < steps; s++) {
    UNROLL for (int j = 0; j < VECTORS; j++) {
      x[s][j] = LOAD_ALIGNED(0, panel[j]);
      panel[j] += PANEL;
      if (sums) {
        take(sums + j, AS_UINTS(x[s][j]));
      }
    }
  }
}

/* So many steps of scores: what is read of queries and keys, and then their products. */
FUNCTION void score(
    FLOATS sum[ROWS][VECTORS],
    GLOBAL const float* panel[VECTORS],
    GLOBAL const float* q,
    Running* sums,
    const int steps) {
  FLOATS x[AHEAD][VECTORS];
  float y[AHEAD][ROWS];
  read_panels(x, panel, sums, steps);
  UNROLL for (int s = 0; s < steps; s++) {
#if ROWS % WIDTH == 0
    UNROLL for (int i = 0; i < ROWS / WIDTH; i++) {
      STORE(LOAD_ALIGNED(i, q + s * GROUP_ROWS), i, y[s]);
    }
#else
    UNROLL for (int i = 0; i < ROWS; i++) {
      y[s][i] = q[s * GROUP_ROWS + i];
    }
#endif
  }
  UNROLL for (int s = 0; s < steps; s++) {
    UNROLL for (int i = 0; i < ROWS; i++) {
      UNROLL for (int j = 0; j < VECTORS; j++) {
        sum[i][j] = fma(SPLAT(y[s][i]), x[s][j], sum[i][j]);
      }
    }
  }
}

/* So many steps of weighted values, of keys that all rows' weights speak for. */
FUNCTION void weigh(
    FLOATS sum[ROWS][VECTORS],
    GLOBAL const float* panel[VECTORS],
    LOCAL_POINTER const float* weights,
    Running* sums,
    const int steps) {
  FLOATS x[AHEAD][VECTORS];
  read_panels(x, panel, sums, steps);
  UNROLL for (int i = 0; i < ROWS; i++) {
    UNROLL for (int s = 0; s < steps; s++) {
      const FLOATS y = SPLAT(weights[i * PITCH + s]);
      UNROLL for (int j = 0; j < VECTORS; j++) {
        sum[i][j] = fma(y, x[s][j], sum[i][j]);
      }
    }
  }
}
