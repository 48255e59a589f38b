
/*
 * Merges spans in order, a row per work-group: what attend_spans made of them, onto the totals of
 * earlier ones. After the last, divides, and sums up what it stores, from the registers: words of
 * out have indices from 1, then follow the largest score and the sum of weights.
 *
 * totals: [row][SPAN_ENTRY], whose stamp is that of the run and the number of the next span.
 * check_totals: [part][row]; the first part's have the digest of out's words, until the next launch.
 * out_place, out_head, out_query, queries: where rows of out are, like those of scale_queries.
 * sums: [row][3] from entry number place on; wrong ones if a stamp is not what it must be. CHECKED:
 * behind them [row][3]: what is wrong, the bits of the largest difference, and the keys it saw.
 * KEPT_TWICE: what is stored in out is stored in copy as well, whose rows are described once more.
 * first_span: of these. first, last: whether none came before, or come after.
 */
#if PART_COLUMNS % SCANNERS
#error "parts of a row whose items do not read what they stored themselves"
#endif

KERNEL(SCANNERS) void merge_spans(
    GLOBAL const float* RESTRICT values,
    GLOBAL const float* RESTRICT softmax,
    GLOBAL const Check* RESTRICT checks,
    GLOBAL float* RESTRICT out,
    GLOBAL float* RESTRICT copy,
    GLOBAL float* RESTRICT totals,
    GLOBAL Check* RESTRICT check_totals,
    GLOBAL ulong* RESTRICT sums,
    const ulong out_place,
    const ulong out_head,
    const ulong out_query,
    const ulong queries,
    const ulong copy_place,
    const ulong copy_head,
    const ulong copy_query,
    const ulong copy_queries,
    const ulong place,
    const ulong rows,
    const ulong columns,
    const ulong first_span,
    const ulong spans,
    const ulong first,
    const ulong last,
    const ulong stamp,
    const ulong launch,
    const ulong flags) {
#if SCANNERS > 1
  LOCAL ulong room[3 * SCANNERS];
#endif
  LOCAL uint digests[2 * SCANNERS];
  LOCAL float shown[SCANNERS];
  const ulong row = GROUP_X;
  GLOBAL float* own = out + out_place + row / queries * out_head + row % queries * out_query;
  GLOBAL float* same =
      copy + copy_place + row / copy_queries * copy_head + row % copy_queries * copy_query;
  /* What digests are made of. */
  const ulong words = flags & CHECKED ? columns : 0;
  GLOBAL float* entry = totals + SPAN_ENTRY * row;
  float max = NEGATIVE_INFINITY, sum = 0.0f;
  uint stale = 0, read = 0;
  if (first) {
    for (ulong c = ITEM; c < columns; c += SCANNERS) {
      own[c] = 0.0f;
    }
  } else {
    read = digest_of_row(own, words);
    max = entry[SPAN_MAX];
    sum = entry[SPAN_SUM];
    stale = as_uint(entry[SPAN_STAMP]) ^ (uint)(stamp + first_span);
    read += ITEM == 0 ? digest_of_softmax(max, sum, columns) : 0;
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
    read += digest_of_row(from, words);
    read += ITEM == 0 ? digest_of_softmax(with[SPAN_MAX], with[SPAN_SUM], columns) : 0;
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
  digests[ITEM] = read;
  digests[SCANNERS + ITEM] = digest_of_row(own, last ? 0 : words); /* of totals, if others follow */
  ulong u0 = 0, u1 = 0, u2 = 0, n = 0;
  for (ulong c = ITEM; last && c < columns; c += SCANNERS, n++) {
    const float result = sum == 0 ? 0.0f : own[c] / sum + 0.0f;
    own[c] = result;
    if (flags & KEPT_TWICE) {
      same[c] = result;
    }
    u0 += as_uint(result);
    u1 += u0;
    u2 += u1;
  }
  fold_lane(&total, u0, u1, u2, ITEM + 1, n, SCANNERS);
#if SCANNERS > 1
  gather(&total, room, ITEM, SCANNERS); /* and all have come here */
#endif
  if (last && ITEM == 0) {
    put(sums + 3 * (place + row), &total, launch);
  }

  /* Words that were read are those that were stored. All items take part, checked or not: barriers
     are not in conditions, which PoCL does not always get right. */
  const ulong parts = flags & CHECKED ? PARTS : 0;
  uint left_over = 0, digest = 0;
  for (uint i = 0; i < SCANNERS; i++) {
    left_over += digests[i];
    digest += digests[SCANNERS + i];
  }
  for (ulong i = 0; i < parts * spans; i++) {
    left_over -= checks[i * rows + row].words;
  }
  left_over -= first || parts == 0 ? 0 : check_totals[row].words;
  Sums evidence = {stale, 0, 0};
  for (ulong part = 0; part < parts; part++) {
    const Check none = {NEGATIVE_INFINITY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    const ulong left = part * PART_COLUMNS, right = min(columns, left + PART_COLUMNS);
    shown[ITEM] = last ? signed_sum_of(own + left, right - left) : 0.0f;
#if SCANNERS > 1
    BARRIER;
#endif
    if (ITEM == 0) {
      Check check = none;
      if (!first) {
        check = check_totals[part * rows + row];
      }
      for (ulong span = 0; span < spans; span++) {
        const Check of_span = checks[(span * PARTS + part) * rows + row];
        const float next = of_span.max > check.max ? of_span.max : check.max;
        extend(&check, &of_span, decay_of(check.max, next), decay_of(of_span.max, next));
        check.max = next;
      }
      check.wrong |= left_over | (as_uint(check.max) ^ as_uint(max));
      check.words = part > 0 ? 0 : digest + digest_of_softmax(max, sum, columns);
      check_totals[part * rows + row] = check;
      float signed_sum = 0;
      for (uint i = 0; i < SCANNERS; i++) {
        signed_sum = signed_sum + shown[i];
      }
      if (last) {
        finish(&check, sum, signed_sum, right - left);
      }
      evidence.s0 |= check.wrong | (part > 0 && evidence.s2 != check.keys);
      evidence.s1 = as_uint(worse(as_float((uint)evidence.s1), check.ratio));
      evidence.s2 = check.keys;
    }
#if SCANNERS > 1
    BARRIER;
#endif
  }
  if (last && parts > 0 && ITEM == 0) {
    put(sums + 3 * (place + rows + row), &evidence, launch);
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
