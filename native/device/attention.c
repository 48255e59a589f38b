
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

/* Rows of scores lie as far apart as neighbours do not meet in one bank of local memory. */
#define PITCH (KEYS + (GROUP > 1 ? 4 : 0))
/* Work-items that share a row's softmax. */
#define SHARERS (GROUP > GROUP_ROWS ? GROUP / GROUP_ROWS : 1)
#if KEYS % GROUP_COLUMNS || LANES % SHARERS || GROUP % SHARERS
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

/* A power of e that a row's sums so far are multiplied with, when its maximum grows. */
FUNCTION float decay_of(const float before, const float max) {
  return exponential(before - (max == NEGATIVE_INFINITY ? 0.0f : max));
}

/*
 * Queries times scale, a tile of rows per work-group: [tile][i][GROUP_ROWS]. A tile has rows of one
 * key head; those behind its last are zeros. Behind all tiles follows a word for each: the stamp of
 * the run. Whoever reads them hands it on, so that what an earlier run left, because a kernel never
 * ran, is not taken for new.
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
  if (ITEM == 0) {
    scaled[tiles * depth * GROUP_ROWS + GROUP_X] = as_float((uint)stamp);
  }
  for (ulong n = ITEM; n < depth * GROUP_ROWS; n += SCANNERS) {
    const ulong row = first + n % GROUP_ROWS, all = before + row;
    const ulong at = place + all / queries * of_head + all % queries * of_query;
    tile[n] = row < rows ? from[at + n / GROUP_ROWS] * scale : 0.0f;
  }
}

/* Vectors of so many steps of panels, which go on to the next. */
FUNCTION void read_panels(
    FLOATS x[AHEAD][VECTORS], GLOBAL const float* panel[VECTORS], const int steps) {
  UNROLL for (int s = 0; s < steps; s++) {
    UNROLL for (int j = 0; j < VECTORS; j++) {
      x[s][j] = LOAD_ALIGNED(0, panel[j]);
      panel[j] += PANEL;
    }
  }
}

/* So many steps of scores: what is read of queries and keys, and then their products. */
FUNCTION void score(
    FLOATS sum[ROWS][VECTORS],
    GLOBAL const float* panel[VECTORS],
    GLOBAL const float* q,
    const int steps) {
  FLOATS x[AHEAD][VECTORS];
  float y[AHEAD][ROWS];
  read_panels(x, panel, steps);
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
    const int steps) {
  FLOATS x[AHEAD][VECTORS];
  read_panels(x, panel, steps);
  UNROLL for (int i = 0; i < ROWS; i++) {
    UNROLL for (int s = 0; s < steps; s++) {
      const FLOATS y = SPLAT(weights[i * PITCH + s]);
      UNROLL for (int j = 0; j < VECTORS; j++) {
        sum[i][j] = fma(y, x[s][j], sum[i][j]);
      }
    }
  }
}

/*
 * What a tile of rows makes of a span of keys: sums of weighted values [span][row][columns], and
 * [span][row][SPAN_ENTRY]. Neighbouring groups along y work at neighbouring columns.
 *
 * rows: of a key head; all_rows and tiles: of all heads. place_of_rows: of the rows' table, in
 * ulongs; tiles of rows. place_of_blocks: of theirs, in words, blocks for each head. keys: that
 * there are, of any row. k_place, v_place: of block 0 in the first panel, in floats; k_step,
 * v_step: to the next block; k_head, v_head: to the next head; v_stride: to the next panel of
 * values. lowest, highest: of keys that rows see. mask_place: of the mask of the first row, and of
 * key lowest; queries: rows that one of another query head, mask_of_head on, follows after, and
 * mask_of_query between them. first_span: of those that are computed here. TURNED: tiles in reverse
 * order.
 */
#define MASK_OF(row)                                                                    \
  (mask_place + min((ulong)(row), all_rows - 1) / queries * mask_of_head +              \
   min((ulong)(row), all_rows - 1) % queries * mask_of_query - lowest)

KERNEL(GROUP) void attend_spans(
    GLOBAL const float* RESTRICT scaled,
    GLOBAL const float* RESTRICT k,
    GLOBAL const float* RESTRICT v,
    GLOBAL const float* RESTRICT operands,
    GLOBAL const ulong* RESTRICT tables,
    GLOBAL float* RESTRICT values,
    GLOBAL float* RESTRICT softmax,
    const ulong place_of_rows,
    const ulong place_of_blocks,
    const ulong depth,
    const ulong columns,
    const ulong rows,
    const ulong all_rows,
    const ulong tiles,
    const ulong keys,
    const ulong blocks,
    const ulong k_place,
    const ulong k_step,
    const ulong k_head,
    const ulong v_place,
    const ulong v_step,
    const ulong v_head,
    const ulong v_stride,
    const ulong lowest,
    const ulong highest,
    const ulong queries,
    const ulong mask_place,
    const ulong mask_of_head,
    const ulong mask_of_query,
    const ulong first_span,
    const float softcap,
    const ulong all_flags) {
  const uint flags = (uint)all_flags;
  const uint item = ITEM, across = item % ACROSS, down = item / ACROSS;
  const uint sharer = item % SHARERS;
  const ulong tile = flags & TURNED ? tiles - 1 - GROUP_X : GROUP_X;
  const ulong head = tile / TILES_OF_HEAD;
  /* Rows of this head that lie before the tile's; of all heads, up to these. */
  const ulong above = tile % TILES_OF_HEAD * GROUP_ROWS, first_row = head * rows + above;
  const ulong parts = (columns + TILES * GROUP_COLUMNS - 1) / (TILES * GROUP_COLUMNS);
  const ulong part = GROUP_Y % parts, number = GROUP_Y / parts;
  const ulong left = part * TILES * GROUP_COLUMNS;
  const ulong last_panel = (columns - 1) / PANEL;
  GLOBAL const ulong* own_rows = tables + place_of_rows + tile * GROUP_ROWS * ROW_ENTRY;

  ALIGNED LOCAL float scores[GROUP_ROWS * PITCH];
  LOCAL float lanes[GROUP_ROWS * LANES];
  LOCAL float max_of[GROUP_ROWS], next_max[GROUP_ROWS], sum_of[GROUP_ROWS], decay[GROUP_ROWS];
  LOCAL ulong from_of[GROUP_ROWS], to_of[GROUP_ROWS];
  FLOATS acc[TILES][ROWS][VECTORS];

  /* All items of the group go by what they see in local memory: they meet at the same barriers. */
  for (uint r = item / SHARERS; r < GROUP_ROWS && sharer == 0; r += GROUP / SHARERS) {
    const Row row = row_of(own_rows, r, lowest, highest);
    from_of[r] = row.from < row.to ? row.from : highest;
    to_of[r] = row.from < row.to ? row.to : lowest;
  }
  SYNC;
  ulong from = highest, to = lowest;
  for (uint r = 0; r < GROUP_ROWS; r++) {
    from = min(from, from_of[r]);
    to = to < to_of[r] ? to_of[r] : to;
  }
  for (uint r = item / SHARERS; r < GROUP_ROWS; r += GROUP / SHARERS) {
    max_of[r] = NEGATIVE_INFINITY;
    sum_of[r] = 0.0f;
  }
  for (int t = 0; t < TILES; t++) {
    UNROLL for (int i = 0; i < ROWS; i++) {
      UNROLL for (int j = 0; j < VECTORS; j++) {
        acc[t][i][j] = SPLAT(0.0f);
      }
    }
  }

  const ulong span = (first_span + number) * SPAN;
  ulong block = from / KEYS < span ? span : from / KEYS;
  const ulong end = from < to ? min(span + SPAN, (to + KEYS - 1) / KEYS) : 0;
  for (; block < end; block++) {
    const ulong start = block * KEYS;
    const ulong steps = min((ulong)KEYS, keys - start);

    /* Scores. */
    for (uint left_key = 0; left_key < KEYS; left_key += GROUP_COLUMNS) {
      FLOATS sum[ROWS][VECTORS];
      GLOBAL const float* panel[VECTORS];
      UNROLL for (int j = 0; j < VECTORS; j++) {
        const ulong column = left_key + j * VECTOR_PITCH + across * WIDTH;
        panel[j] = k + k_place + head * k_head + block * k_step +
                   min(column / PANEL, (steps - 1) / PANEL) * depth * PANEL + column % PANEL;
      }
      UNROLL for (int i = 0; i < ROWS; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
          sum[i][j] = SPLAT(0.0f);
        }
      }
      GLOBAL const float* q = scaled + tile * depth * GROUP_ROWS + down * ROWS;
      ulong step = 0;
      for (; step + AHEAD <= depth; step += AHEAD) {
        score(sum, panel, q + step * GROUP_ROWS, AHEAD);
      }
#if AHEAD > 1
      for (; step < depth; step++) {
        score(sum, panel, q + step * GROUP_ROWS, 1);
      }
#endif
      UNROLL for (int i = 0; i < ROWS; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
          const uint column = left_key + j * VECTOR_PITCH + across * WIDTH;
          STORE_LOCAL(sum[i][j], scores + (down * ROWS + i) * PITCH + column);
        }
      }
    }
    SYNC;

    /* What reaches the softmax, and the largest of it. */
    for (uint r = item / SHARERS; r < GROUP_ROWS; r += GROUP / SHARERS) {
      Row row = row_of(own_rows, r, lowest, highest);
      row.mask = MASK_OF(first_row + r);
      LOCAL_POINTER float* own = scores + r * PITCH;
      float max = NEGATIVE_INFINITY;
      const int all = row.from <= start && start + KEYS <= row.to;
      if (!all || softcap > 0 || flags & (SLOPES | MASKED)) {
        for (uint j = sharer; j < KEYS; j += SHARERS) {
          own[j] = transformed(own[j], &row, operands, start + j, softcap, flags);
        }
      }
      for (uint j = sharer; j < KEYS; j += SHARERS) {
        max = own[j] > max ? own[j] : max;
      }
      lanes[r * LANES + sharer] = max;
    }
    SYNC;

    /* Weights. */
    for (uint r = item / SHARERS; r < GROUP_ROWS; r += GROUP / SHARERS) {
      LOCAL_POINTER float* own = scores + r * PITCH;
      float max = max_of[r];
      UNROLL for (uint s = 0; s < SHARERS; s++) {
        max = lanes[r * LANES + s] > max ? lanes[r * LANES + s] : max;
      }
      const float reference = max == NEGATIVE_INFINITY ? 0.0f : max;
      for (uint j = sharer; j < KEYS; j += SHARERS) {
        own[j] = exponential(own[j] - reference);
      }
      if (sharer == 0) {
        next_max[r] = max;
        decay[r] = decay_of(max_of[r], max);
      }
    }
    SYNC;

    /* Their sums, lane by lane. */
    for (uint r = item / SHARERS; r < GROUP_ROWS; r += GROUP / SHARERS) {
      LOCAL_POINTER const float* own = scores + r * PITCH + sharer * (LANES / SHARERS);
      float lane[LANES / SHARERS];
      UNROLL for (int l = 0; l < LANES / SHARERS; l++) {
        lane[l] = 0.0f;
      }
      for (uint j = 0; j < KEYS; j += LANES) {
        UNROLL for (int l = 0; l < LANES / SHARERS; l++) {
          lane[l] = lane[l] + own[j + l];
        }
      }
      UNROLL for (int l = 0; l < LANES / SHARERS; l++) {
        lanes[r * LANES + sharer * (LANES / SHARERS) + l] = lane[l];
      }
    }
    SYNC;
    for (uint r = item / SHARERS; r < GROUP_ROWS && sharer == 0; r += GROUP / SHARERS) {
      LOCAL_POINTER float* own = lanes + r * LANES;
      for (int apart = LANES / 2; apart > 0; apart /= 2) {
        for (int l = 0; l < apart; l++) {
          own[l] = own[l] + own[l + apart];
        }
      }
      sum_of[r] = fma(sum_of[r], decay[r], own[0]);
      max_of[r] = next_max[r];
    }

    /* Weighted values. */
    const int plain = as_uint(operands[place_of_blocks + head * blocks + block]) == 1;
    for (int t = 0; t < TILES && left + t * GROUP_COLUMNS < columns; t++) {
      FLOATS sum[ROWS][VECTORS];
      GLOBAL const float* panel[VECTORS];
      UNROLL for (int j = 0; j < VECTORS; j++) {
        const ulong column = left + t * GROUP_COLUMNS + j * VECTOR_PITCH + across * WIDTH;
        panel[j] =
            v + v_place + head * v_head + block * v_step +
            min(column / PANEL, last_panel) * v_stride + column % PANEL;
      }
      UNROLL for (int i = 0; i < ROWS; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
          sum[i][j] = decay[down * ROWS + i] * acc[t][i][j];
        }
      }
      LOCAL_POINTER const float* weights = scores + down * ROWS * PITCH;
      ulong step = 0;
      if (plain) {
        for (; step + AHEAD <= steps; step += AHEAD) {
          weigh(sum, panel, weights + step, AHEAD);
        }
#if AHEAD > 1
        for (; step < steps; step++) {
          weigh(sum, panel, weights + step, 1);
        }
#endif
      }
      for (; step < steps; step++) { /* what is hidden is not multiplied with 0, but left out */
        FLOATS x[AHEAD][VECTORS];
        read_panels(x, panel, 1);
        UNROLL for (int i = 0; i < ROWS; i++) {
          Row row = row_of(own_rows, down * ROWS + i, lowest, highest);
          row.mask = MASK_OF(first_row + down * ROWS + i);
          const FLOATS y = SPLAT(weights[i * PITCH + step]);
          const int seen = !hides(&row, operands, start + step, flags);
          UNROLL for (int j = 0; j < VECTORS; j++) {
            if (seen) {
              sum[i][j] = fma(y, x[0][j], sum[i][j]);
            }
          }
        }
      }
      UNROLL for (int i = 0; i < ROWS; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
          acc[t][i][j] = sum[i][j];
        }
      }
    }
    SYNC;
  }

  SYNC;
  for (uint r = item / SHARERS; r < GROUP_ROWS && sharer == 0 && part == 0; r += GROUP / SHARERS) {
    if (above + r < rows) {
      GLOBAL float* to = softmax + SPAN_ENTRY * (number * all_rows + first_row + r);
      to[SPAN_MAX] = max_of[r];
      to[SPAN_SUM] = sum_of[r];
      const uint stamp = as_uint(scaled[tiles * depth * GROUP_ROWS + tile]);
      to[SPAN_STAMP] = as_float(stamp + (uint)first_span);
    }
  }
  for (int t = 0; t < TILES && left + t * GROUP_COLUMNS < columns; t++) {
    UNROLL for (int i = 0; i < ROWS; i++) {
      const ulong row = down * ROWS + i;
      UNROLL for (int j = 0; j < VECTORS; j++) {
        const ulong column = left + t * GROUP_COLUMNS + j * VECTOR_PITCH + across * WIDTH;
        GLOBAL float* to = values + (number * all_rows + first_row + row) * columns + column;
        if (above + row < rows && column + WIDTH <= columns) {
          STORE(acc[t][i][j], 0, to);
        } else if (above + row < rows) {
          float lane[WIDTH];
          STORE(acc[t][i][j], 0, lane);
          for (int l = 0; l < WIDTH; l++) {
            if (column + l < columns) {
              to[l] = lane[l];
            }
          }
        }
      }
    }
  }
}

/*
 * Merges spans in order, a row per work-group: what attend_spans made of them, onto the totals of
 * earlier ones. After the last, divides, and sums up what it stores, from the registers: words of
 * out have indices from 1, then follow the largest score and the sum of weights.
 *
 * totals: [row][SPAN_ENTRY], whose stamp is that of the run and the number of the next span.
 * out_place, out_head, out_query, queries: where rows of out are, like those of scale_queries.
 * sums: [row][3] from entry number place on; wrong ones if a stamp is not what it must be.
 * first_span: of these. first, last: whether none came before, or come after.
 */
KERNEL(SCANNERS) void merge_spans(
    GLOBAL const float* RESTRICT values,
    GLOBAL const float* RESTRICT softmax,
    GLOBAL float* RESTRICT out,
    GLOBAL float* RESTRICT totals,
    GLOBAL ulong* RESTRICT sums,
    const ulong out_place,
    const ulong out_head,
    const ulong out_query,
    const ulong queries,
    const ulong place,
    const ulong rows,
    const ulong columns,
    const ulong first_span,
    const ulong spans,
    const ulong first,
    const ulong last,
    const ulong stamp,
    const ulong launch) {
#if SCANNERS > 1
  LOCAL ulong room[3 * SCANNERS];
#endif
  const ulong row = GROUP_X;
  GLOBAL float* own = out + out_place + row / queries * out_head + row % queries * out_query;
  GLOBAL float* entry = totals + SPAN_ENTRY * row;
  float max = NEGATIVE_INFINITY, sum = 0.0f;
  uint stale = 0;
  if (first) {
    for (ulong c = ITEM; c < columns; c += SCANNERS) {
      own[c] = 0.0f;
    }
  } else {
    max = entry[SPAN_MAX];
    sum = entry[SPAN_SUM];
    stale = as_uint(entry[SPAN_STAMP]) ^ (uint)(stamp + first_span);
  }
  for (ulong span = 0; span < spans; span++) {
    GLOBAL const float* from = values + (span * rows + row) * columns;
    GLOBAL const float* with = softmax + SPAN_ENTRY * (span * rows + row);
    const float next = with[SPAN_MAX] > max ? with[SPAN_MAX] : max;
    const float decay = decay_of(max, next), now = decay_of(with[SPAN_MAX], next);
    stale |= as_uint(with[SPAN_STAMP]) ^ (uint)(stamp + first_span);
    sum = fma(sum, decay, with[SPAN_SUM] * now);
    max = next;
    for (ulong c = ITEM; c < columns; c += SCANNERS) {
      own[c] = fma(own[c], decay, from[c] * now);
    }
  }
#if SCANNERS > 1
  BARRIER_FOR_GLOBAL; /* all have read the totals */
#endif
  Sums total = {0, 0, 0};
  if (ITEM == 0) {
    entry[SPAN_MAX] = max;
    entry[SPAN_SUM] = sum;
    /* What is stale once stays so. */
    entry[SPAN_STAMP] = as_float((uint)(stamp + first_span + spans) ^ stale);
    total.s0 += stale;
    fold_lane(&total, as_uint(max), as_uint(max), as_uint(max), columns + 1, 1, 1);
    fold_lane(&total, as_uint(sum), as_uint(sum), as_uint(sum), columns + 2, 1, 1);
  }
  if (last) {
    ulong u0 = 0, u1 = 0, u2 = 0, n = 0;
    for (ulong c = ITEM; c < columns; c += SCANNERS, n++) {
      const float result = sum == 0 ? 0.0f : own[c] / sum + 0.0f;
      own[c] = result;
      u0 += as_uint(result);
      u1 += u0;
      u2 += u1;
    }
    fold_lane(&total, u0, u1, u2, ITEM + 1, n, SCANNERS);
#if SCANNERS > 1
    gather(&total, room, ITEM, SCANNERS);
#endif
    if (ITEM == 0) {
      put(sums + 3 * (place + row), &total, launch);
    }
  }
}

/*
 * Sums of words that lie in a row, a chunk per work-group: [chunk][3] from entry number place on,
 * indices from 1 through the chunk. count: a multiple of WIDTH; the last chunk may be shorter.
 */
KERNEL(SCANNERS) void scan_words(
    GLOBAL const float* RESTRICT words,
    GLOBAL ulong* RESTRICT sums,
    const ulong place,
    const ulong count,
    const ulong launch) {
  const ulong vectors = min((ulong)CHUNK, count - GROUP_X * CHUNK) / WIDTH;
  Sums total = {0, 0, 0};
  take_share(&total, words + GROUP_X * CHUNK, vectors, PANEL);
  PUT_TOGETHER(total, place + GROUP_X)
}
