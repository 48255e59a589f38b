
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
 *
 * This is compiled as several kernels ATTEND_SPANS. CHECKING, everything is held against predictions
 * and value_checks (of so many blocks seen; attention-checks.c says where they are), and checks are
 * [span][part][row]; rows have no softcap, no slope and no mask then. SCANNING, where an item has all
 * rows of a head, and panels hold the words of one block each, every word of keys and values is read
 * once: their sums are made while they are (see scan_panels), from entry number sums_of_keys and
 * sums_of_values on, panels that are seen of a head after those of the one before.
 */
#define MASK_OF(row)                                                                    \
  (mask_place + min((ulong)(row), all_rows - 1) / queries * mask_of_head +              \
   min((ulong)(row), all_rows - 1) % queries * mask_of_query - lowest)

KERNEL(GROUP) void ATTEND_SPANS(
    GLOBAL const float* RESTRICT scaled,
    GLOBAL const float* RESTRICT k,
    GLOBAL const float* RESTRICT v,
    GLOBAL const float* RESTRICT operands,
    GLOBAL const ulong* RESTRICT tables,
    GLOBAL float* RESTRICT values,
    GLOBAL float* RESTRICT softmax,
    GLOBAL const float* RESTRICT predictions,
    GLOBAL const float* RESTRICT value_checks,
    GLOBAL Check* RESTRICT checks,
    GLOBAL ulong* RESTRICT sums,
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
    const ulong seen,
    const ulong check_place,
    const ulong check_pitch,
    const ulong sums_of_keys,
    const ulong sums_of_values,
    const ulong launch,
    const float softcap,
    const ulong all_flags) {
  const uint flags = (uint)all_flags;
  const uint item = ITEM, across = item % ACROSS, down = item / ACROSS;
  const uint sharer = item % SHARERS;
  const ulong tile = flags & TURNED ? tiles - 1 - GROUP_X : GROUP_X;
  const ulong head = tile / TILES_OF_HEAD;
  /* Rows of this head that lie before the tile's; of all heads, up to these. */
  const ulong above = tile % TILES_OF_HEAD * GROUP_ROWS, first_row = head * rows + above;
  const ulong part = GROUP_Y % PARTS, number = GROUP_Y / PARTS;
  const ulong left = part * PART_COLUMNS;
  const ulong last_panel = (columns - 1) / PANEL;
  GLOBAL const ulong* own_rows = tables + place_of_rows + tile * GROUP_ROWS * ROW_ENTRY;

  ALIGNED LOCAL float scores[GROUP_ROWS * PITCH];
  LOCAL float lanes[GROUP_ROWS * LANES];
  LOCAL float max_of[GROUP_ROWS], next_max[GROUP_ROWS], sum_of[GROUP_ROWS], decay[GROUP_ROWS];
  LOCAL ulong from_of[GROUP_ROWS], to_of[GROUP_ROWS];
  FLOATS acc[TILES][ROWS][VECTORS];
  Running of_panel[VECTORS];
  Running* scanned = SCANNING ? of_panel : 0;

  /* Of items that scores are computed by: sums of their own, signed, and of their words. */
#define IF_CHECKING(count) (CHECKING ? (count) : 1)
  ALIGNED LOCAL float signs[IF_CHECKING(KEYS)];
  LOCAL float shown[IF_CHECKING(GROUP_ROWS * ACROSS)];
  LOCAL uint stored[IF_CHECKING(GROUP_ROWS * ACROSS)];
  /* Of those that share a row: words of scores and of weights that are to be read yet. */
  LOCAL uint scores_left[IF_CHECKING(GROUP_ROWS * SHARERS)];
  LOCAL uint weights_left[IF_CHECKING(GROUP_ROWS * SHARERS)];
  LOCAL uint hidden_of[IF_CHECKING(GROUP_ROWS * SHARERS)];
  LOCAL uint misfits_of[IF_CHECKING(GROUP_ROWS * SHARERS)];
  /* What each of them takes exponents relative to. */
  LOCAL float reference_of[IF_CHECKING(GROUP_ROWS * SHARERS)];
  LOCAL Check check[IF_CHECKING(GROUP_ROWS)];
  LOCAL Check check_of[IF_CHECKING(GROUP_ROWS * SHARERS)];
#undef IF_CHECKING

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
  from = from < lowest ? lowest : from;
  to = min(to, highest);
  for (uint r = item / SHARERS; r < GROUP_ROWS; r += GROUP / SHARERS) {
    const Check nothing = {NEGATIVE_INFINITY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    max_of[r] = NEGATIVE_INFINITY;
    sum_of[r] = 0.0f;
    if (CHECKING) {
      check[r] = nothing;
    }
  }
  if (CHECKING) {
    fill_signs(signs, item, GROUP, KEYS);
    SYNC;
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
    const ulong seen_block = head * seen + block - lowest / KEYS; /* of all heads */
    if (CHECKING && steps < KEYS) {
      fill_signs(signs, item, GROUP, steps); /* the last one */
      SYNC;
    }

    /* Scores. */
    FLOATS signed_scores[ROWS];
    UINTS words[ROWS];
    UNROLL for (int i = 0; i < ROWS; i++) {
      signed_scores[i] = SPLAT(0.0f);
      words[i] = AS_UINTS(SPLAT(0.0f));
    }
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
      if (SCANNING) {
        open_panel(of_panel);
      }
      for (; step + AHEAD <= depth; step += AHEAD) {
        score(sum, panel, q + step * GROUP_ROWS, scanned, AHEAD);
      }
#if AHEAD > 1
      for (; step < depth; step++) {
        score(sum, panel, q + step * GROUP_ROWS, scanned, 1);
      }
#endif
      if (SCANNING) {
        const ulong number = seen_block * (KEYS / PANEL) + left_key / PANEL;
        close_panel(of_panel, sums + 3 * (sums_of_keys + number), depth, launch);
      }
      UNROLL for (int i = 0; i < ROWS; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
          const uint column = left_key + j * VECTOR_PITCH + across * WIDTH;
          STORE_LOCAL(sum[i][j], scores + (down * ROWS + i) * PITCH + column);
          if (CHECKING) {
            signed_scores[i] = fma(LOAD_LOCAL(signs + column), sum[i][j], signed_scores[i]);
            words[i] = words[i] + AS_UINTS(sum[i][j]);
          }
        }
      }
    }
    UNROLL for (int i = 0; CHECKING && i < ROWS; i++) {
      shown[(down * ROWS + i) * ACROSS + across] = sum_of_lanes(signed_scores[i]);
      stored[(down * ROWS + i) * ACROSS + across] = sum_of_words(words[i]);
    }
    SYNC;

    /* What reaches the softmax, and the largest of it. */
    for (uint r = item / SHARERS; r < GROUP_ROWS; r += GROUP / SHARERS) {
      Row row = row_of(own_rows, r, lowest, highest);
      row.mask = MASK_OF(first_row + r);
      LOCAL_POINTER float* own = scores + r * PITCH;
      const int all = row.from <= start && start + KEYS <= row.to;
      uint changed = 0, hidden = 0;
      if (!all || softcap > 0 || flags & (SLOPES | MASKED)) {
        for (uint n = sharer * SHARE; n < KEYS; n += SHARERS * SHARE) {
          for (uint j = n; j < n + SHARE; j++) {
            const float score = transformed(own[j], &row, operands, start + j, softcap, flags);
            changed += as_uint(score) - as_uint(own[j]);
            hidden += score == NEGATIVE_INFINITY;
            own[j] = score;
          }
        }
      }
      if (CHECKING) {
        scores_left[r * SHARERS + sharer] = changed;
        hidden_of[r * SHARERS + sharer] = hidden;
      }
      FLOATS max = SPLAT(NEGATIVE_INFINITY);
      for (uint j = sharer * SHARE; j < KEYS; j += SHARERS * SHARE) {
        UNROLL for (int n = 0; n < SHARE; n += WIDTH) {
          max = LARGER(max, LOAD_LOCAL(own + j + n));
        }
      }
      lanes[r * LANES + sharer] = largest_of_lanes(max);
    }
    SYNC;

    /* Weights. */
    for (uint r = item / SHARERS; r < GROUP_ROWS; r += GROUP / SHARERS) {
      LOCAL_POINTER float* own = scores + r * PITCH;
      float max = max_of[r];
      UNROLL for (uint s = 0; s < SHARERS; s++) {
        max = lanes[r * LANES + s] > max ? lanes[r * LANES + s] : max;
      }
      const float reference = reference_for(max);
      const FLOATS references = SPLAT(reference);
      if (CHECKING) {
        UINTS read = AS_UINTS(SPLAT(0.0f)), made = read;
        FLOATS worst = SPLAT(0.0f);
        const FLOATS zero = worst;
        /* Read again, so that what it is held against is subtracted from scores a second time. */
        volatile LOCAL_POINTER float* published = reference_of + r * SHARERS + sharer;
        *published = reference;
        const FLOATS again = SPLAT(*published);
        for (uint j = sharer * SHARE; j < KEYS; j += SHARERS * SHARE) {
          FLOATS x[4], p[4];
          UNROLL for (int n = 0; n < 4; n++) {
            const FLOATS score = LOAD_LOCAL(own + j + n * WIDTH);
            read = read + AS_UINTS(score);
            x[n] = score - again;
            p[n] = exponentials(score - references);
            worst = worst + LARGER(zero - p[n], zero);
            made = made + AS_UINTS(p[n]);
            STORE_LOCAL(p[n], own + j + n * WIDTH);
          }
          const FLOATS apart = misfit(x[0], x[1], x[2], x[3], p[0], p[1], p[2], p[3]);
          worst = worst + LARGER(apart, zero);
        }
        scores_left[r * SHARERS + sharer] -= sum_of_words(read);
        weights_left[r * SHARERS + sharer] = sum_of_words(made);
        misfits_of[r * SHARERS + sharer] = sum_of_lanes(worst) == 0 ? 0 : 1;
      } else {
        for (uint j = sharer * SHARE; j < KEYS; j += SHARERS * SHARE) {
          UNROLL for (int n = 0; n < SHARE; n += WIDTH) {
            STORE_LOCAL(exponentials(LOAD_LOCAL(own + j + n) - references), own + j + n);
          }
        }
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
      float own[LANES];
      UNROLL for (int l = 0; l < LANES; l++) {
        own[l] = lanes[r * LANES + l];
      }
      UNROLL for (int apart = LANES / 2; apart > 0; apart /= 2) {
        UNROLL for (int l = 0; l < apart; l++) {
          own[l] = own[l] + own[l + apart];
        }
      }
      sum_of[r] = fma(sum_of[r], decay[r], own[0]);
      max_of[r] = next_max[r];
      if (CHECKING && above + r < rows) {
        const Row row = row_of(own_rows, r, lowest, highest);
        const ulong from_here = row.from < start ? start : row.from;
        const ulong to_here = min(row.to, start + KEYS);
        const uint visible = from_here < to_here ? (uint)(to_here - from_here) : 0;
        float sum = 0;
        uint left_over = 0, hidden = 0;
        for (uint a = 0; a < ACROSS; a++) {
          sum = sum + shown[r * ACROSS + a];
          left_over += stored[r * ACROSS + a];
        }
        for (uint s = 0; s < SHARERS; s++) {
          left_over += scores_left[r * SHARERS + s];
          hidden += hidden_of[r * SHARERS + s];
          check[r].wrong |= misfits_of[r * SHARERS + s];
          check[r].wrong |= as_uint(reference_of[r * SHARERS + s]) ^ as_uint(reference_for(max_of[r]));
        }
        GLOBAL const float* predicted =
            predictions + ((first_row + r) * seen + block - lowest / KEYS) * 2;
        check[r].ratio = worse(check[r].ratio, ratio_of(sum - predicted[0], predicted[1]));
        check[r].wrong |= left_over | (hidden ^ (KEYS - visible));
        check[r].keys += visible;
        check[r].again = fma(check[r].again, decay[r], own[0]);
      }
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
      if (SCANNING) {
        open_panel(of_panel);
      }
      if (plain) {
        for (; step + AHEAD <= steps; step += AHEAD) {
          weigh(sum, panel, weights + step, scanned, AHEAD);
        }
#if AHEAD > 1
        for (; step < steps; step++) {
          weigh(sum, panel, weights + step, scanned, 1);
        }
#endif
      }
      for (; step < steps; step++) { /* what is hidden is not multiplied with 0, but left out */
        FLOATS x[AHEAD][VECTORS];
        read_panels(x, panel, scanned, 1);
        UNROLL for (int i = 0; i < ROWS; i++) {
          Row row = row_of(own_rows, down * ROWS + i, lowest, highest);
          row.mask = MASK_OF(first_row + down * ROWS + i);
          const FLOATS y = SPLAT(weights[i * PITCH + step]);
          const int shows = !hides(&row, operands, start + step, flags);
          UNROLL for (int j = 0; j < VECTORS; j++) {
            if (shows) {
              sum[i][j] = fma(y, x[0][j], sum[i][j]);
            }
          }
        }
      }
      if (SCANNING) {
        const ulong number = seen_block * (last_panel + 1) + left / PANEL + t;
        close_panel(of_panel, sums + 3 * (sums_of_values + number), steps, launch);
      }
      UNROLL for (int i = 0; i < ROWS; i++) {
        UNROLL for (int j = 0; j < VECTORS; j++) {
          acc[t][i][j] = sum[i][j];
        }
      }
    }

    /* Weights after their last use, and what they predict of the result. */
    for (uint r = item / SHARERS; CHECKING && r < GROUP_ROWS; r += GROUP / SHARERS) {
      LOCAL_POINTER const float* own = scores + r * PITCH;
      const ulong entry = check_place + head * check_pitch + block - lowest / KEYS;
      GLOBAL const float* value_check = value_checks + (entry * PARTS + part) * VALUE_ENTRY;
      FLOATS halves[2], products = SPLAT(0.0f);
      UINTS read = AS_UINTS(products);
      UNROLL for (int side = 0; side < 2; side++) {
        halves[side] = SPLAT(0.0f);
        const uint end = (side + 1) * HALF;
        for (uint j = side * HALF + sharer * SHARE; j < end; j += SHARERS * SHARE) {
          UNROLL for (int n = 0; n < SHARE; n += WIDTH) {
            const FLOATS weights = LOAD_LOCAL(own + j + n);
            read = read + AS_UINTS(weights);
            halves[side] = halves[side] + weights;
            products = fma(weights, LOAD(0, value_check + j + n), products);
          }
        }
      }
      const float first = sum_of_lanes(halves[0]), second = sum_of_lanes(halves[1]);
      Check mine = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
      mine.sum = first + second;
      mine.product = sum_of_lanes(products);
      mine.length = fma(first, value_check[LONGEST], second * value_check[LONGEST + 1]);
      mine.terms = fma(first, value_check[LARGEST], second * value_check[LARGEST + 1]);
      mine.longest = worse(value_check[LONGEST], value_check[LONGEST + 1]);
      mine.wrong = weights_left[r * SHARERS + sharer] - sum_of_words(read);
      check_of[r * SHARERS + sharer] = mine;
    }
    SYNC;
    for (uint r = item / SHARERS; CHECKING && r < GROUP_ROWS && sharer == 0;
         r += GROUP / SHARERS) {
      Check own = check[r];
      float before = decay_of(own.max, max_of[r]);
      own.wrong |= as_uint(before) ^ as_uint(decay[r]);
      own.max = max_of[r];
      for (uint s = 0; s < SHARERS; s++) {
        const Check share = check_of[r * SHARERS + s];
        extend(&own, &share, before, 1.0f);
        before = 1.0f;
      }
      check[r] = own;
    }
  }

  /* After their last use, scaled queries are what they were. */
  if (CHECKING) {
    GLOBAL const float* q = scaled + tile * depth * GROUP_ROWS;
    uint read = 0;
    for (ulong n = item; n < depth * GROUP_ROWS; n += GROUP) {
      read += as_uint(q[n]);
    }
    SYNC;
    stored[item] = read;
    SYNC;
  }
  if (CHECKING && item == 0) {
    uint made = as_uint(scaled[tiles * depth * GROUP_ROWS + tiles + tile]);
    for (uint n = 0; n < GROUP; n++) {
      made -= stored[n];
    }
    check[0].wrong |= made;
  }
  SYNC;
  uint digest[ROWS];
  UNROLL for (int i = 0; i < ROWS; i++) {
    digest[i] = 0;
  }
  for (int t = 0; t < TILES && left + t * GROUP_COLUMNS < columns; t++) {
    UNROLL for (int i = 0; i < ROWS; i++) {
      const ulong row = down * ROWS + i;
      UNROLL for (int j = 0; j < VECTORS; j++) {
        const ulong column = left + t * GROUP_COLUMNS + j * VECTOR_PITCH + across * WIDTH;
        GLOBAL float* to = values + (number * all_rows + first_row + row) * columns + column;
        float lane[WIDTH];
        STORE(acc[t][i][j], 0, lane);
        if (above + row < rows && column + WIDTH <= columns) {
          STORE(acc[t][i][j], 0, to);
        } else if (above + row < rows) {
          for (int l = 0; l < WIDTH; l++) {
            if (column + l < columns) {
              to[l] = lane[l];
            }
          }
        }
        UNROLL for (int l = 0; CHECKING && l < WIDTH; l++) {
          digest[i] += column + l < columns ? digest_of(lane[l], column + l) : 0;
        }
      }
    }
  }
  UNROLL for (int i = 0; CHECKING && i < ROWS; i++) {
    stored[(down * ROWS + i) * ACROSS + across] = digest[i];
  }
  SYNC;
  for (uint r = item / SHARERS; r < GROUP_ROWS && sharer == 0; r += GROUP / SHARERS) {
    const ulong entry = number * all_rows + first_row + r;
    if (above + r < rows && part == 0) {
      GLOBAL float* to = softmax + SPAN_ENTRY * entry;
      to[SPAN_MAX] = max_of[r];
      to[SPAN_SUM] = sum_of[r];
      const uint stamp = as_uint(scaled[tiles * depth * GROUP_ROWS + tile]);
      to[SPAN_STAMP] = as_float(stamp + (uint)first_span);
    }
    if (CHECKING && above + r < rows) {
      for (uint a = 0; a < ACROSS; a++) {
        check[r].words += stored[r * ACROSS + a];
      }
      if (part == 0) {
        check[r].words += digest_of_softmax(check[r].max, check[r].again, columns);
      }
      checks[(number * PARTS + part) * all_rows + first_row + r] = check[r];
    }
  }
}
