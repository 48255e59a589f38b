
/*
 * What attention in one run is verified with: check vectors of keys and values, made of the copies
 * there, and scores that queries and check vectors predict. docs/numerics.md derives the bounds.
 *
 * The host passes as macros, beside those of attention.c:
 *   SIGN_0, SIGN_1   signs of a block's keys, and of 128 columns, a bit each, set for +1
 *   SPREAD       what the root of a sum of squared partial sums is multiplied with: roundings of
 *                these add up like random numbers
 *   UNDERFLOW    twice what a rounding to a subnormal number errs at most
 *
 * Of keys: [head][block][KEY_ENTRY], a check vector, and the root of the sum of squared roundings of
 * the block's signed sum for a query of length 1. Of values: [head][block][part][VALUE_ENTRY], a
 * signed sum for each key, and of either half of them the longest value and the largest sum. Both end
 * with the sum of their words, made of the registers that they were stored from. The first block that
 * rows of the region see has entry number check_place, the next head's that of check_pitch more: what
 * was made of a cache's pages stays beside them. Of rows: [row][block][2], the sum of scores, and its
 * tolerance, of blocks that rows see, counted from the first. Parts are those of columns that a
 * work-group computes.
 */
#define PART_COLUMNS (TILES * GROUP_COLUMNS)
#define PARTS ((columns + PART_COLUMNS - 1) / PART_COLUMNS)
#define HALF (KEYS / 2)
#define KEY_WORDS (depth + 1) /* before their sum */
#define KEY_ENTRY ((KEY_WORDS + 1 + 3) / 4 * 4)
#define LONGEST KEYS
#define LARGEST (KEYS + 2)
#define VALUE_WORDS (KEYS + 4)
#define VALUE_ENTRY (VALUE_WORDS + 4)
/* Bounds are made in float32, and made that much larger for what this loses. */
#define SLACK 1.01f
/* Blocks whose scores are predicted side by side. */
#define TOGETHER 4
/* Roundings, other than those along a head, of check vectors and in what scores add up to. */
#define SCORE_ROUNDINGS (KEYS / WIDTH + KEYS / VECTOR_PITCH + 2 * WIDTH + ACROSS + 16)
/* Roundings of the weights of a block until they are added up: in lanes, these, and onto others. */
#define SUM_ROUNDINGS (KEYS / WIDTH + WIDTH + 4)

FUNCTION float sign_of(const uint number) {
  return (number & 64 ? SIGN_1 : SIGN_0) >> (number & 63) & 1 ? 1.0f : -1.0f;
}

/* An item's share of the signs of so many keys or columns; of others, zeros. */
FUNCTION void fill_signs(
    LOCAL_POINTER float* signs, const uint item, const uint items, const ulong count) {
  for (uint j = item; j < KEYS; j += items) {
    signs[j] = j < count ? sign_of(j) : 0.0f;
  }
}

/* Whether none of the squares that add up to this overflowed, and none that matters vanished. */
#define PLAIN_SQUARES(x) ((x) > 0x1p-80f && (x) < 0x1p120f)

/* Sums of squares that neither overflow nor vanish: of small, of most, and of large numbers. */
typedef struct {
  float low, middle, high;
} Squares;

FUNCTION void add_square(Squares* sums, const float x) {
  const float size = x < 0 ? -x : x;
  const int is_low = size < 0x1p-50f, is_high = size >= 0x1p50f;
  const float low = is_low ? size * 0x1p100f : 0.0f;
  const float high = is_high ? size * 0x1p-70f : 0.0f;
  const float middle = is_low || is_high ? 0.0f : size;
  sums->low = fma(low, low, sums->low);
  sums->middle = fma(middle, middle, sums->middle);
  sums->high = fma(high, high, sums->high);
}

/* At least the length of a vector; not a number if an element is none. */
FUNCTION float length_of(const Squares* sums) {
  return SLACK *
         (SQRT(sums->low) * 0x1p-100f + SQRT(sums->middle) + SQRT(sums->high) * 0x1p70f);
}

/* The same, if plain squares are enough to tell, and otherwise from the numbers, in a row. */
FUNCTION float length_of_row(
    const float squares, GLOBAL const float* numbers, const ulong count) {
  Squares sums = {0, 0, 0};
  if (PLAIN_SQUARES(squares)) {
    return SLACK * SQRT(squares);
  }
  for (ulong n = 0; n < count; n++) {
    add_square(&sums, numbers[n]);
  }
  return length_of(&sums);
}

/* What the lanes of a vector come to together, in pairs that lie half of them apart. */
#define ADDED(a, b) ((a) + (b))
#define LARGER_OF(a, b) ((b) > (a) ? (b) : (a))
#define DEFINE_FOLD(NAME, NUMBER, NUMBERS, PUT, BOTH)           \
  FUNCTION NUMBER NAME(const NUMBERS x) {                       \
    NUMBER lane[WIDTH];                                         \
    PUT(x, 0, lane);                                            \
    UNROLL for (int apart = WIDTH / 2; apart > 0; apart /= 2) { \
      UNROLL for (int l = 0; l < apart; l++) {                  \
        lane[l] = BOTH(lane[l], lane[l + apart]);               \
      }                                                         \
    }                                                           \
    return lane[0];                                             \
  }
DEFINE_FOLD(sum_of_lanes, float, FLOATS, STORE, ADDED)
DEFINE_FOLD(largest_of_lanes, float, FLOATS, STORE, LARGER_OF)
DEFINE_FOLD(sum_of_words, uint, UINTS, STORE_UINTS, ADDED)

/* A block of keys, from number first_block on, and a head, per work-group. */
KERNEL(SCANNERS) void check_keys(
    GLOBAL const float* RESTRICT k,
    GLOBAL float* RESTRICT key_checks,
    const ulong depth,
    const ulong keys,
    const ulong k_place,
    const ulong k_step,
    const ulong k_head,
    const ulong first_block,
    const ulong check_place,
    const ulong check_pitch) {
  ALIGNED LOCAL float signs[KEYS];
  LOCAL float of_items[SCANNERS];
  LOCAL uint stored[SCANNERS];
  const ulong block = first_block + GROUP_X;
  const ulong count = min((ulong)KEYS, keys - block * KEYS);
  GLOBAL const float* from = k + k_place + GROUP_Y * k_head + block * k_step;
  GLOBAL float* to = key_checks + (check_place + GROUP_Y * check_pitch + GROUP_X) * KEY_ENTRY;
  FLOATS squares = SPLAT(0.0f);
  uint words = 0;
  fill_signs(signs, ITEM, SCANNERS, count);
#if SCANNERS > 1
  BARRIER;
#endif
  for (ulong i = ITEM; i < depth; i += SCANNERS) {
    FLOATS sum = SPLAT(0.0f);
    for (ulong left = 0; left < count; left += PANEL) {
      UNROLL for (int j = 0; j < PANEL / WIDTH; j++) {
        const FLOATS x = LOAD_LOCAL(signs + left + j * WIDTH) *
                         LOAD_ALIGNED(j, from + left * depth + i * PANEL);
        sum = sum + x;
        squares = fma(x, x, squares);
      }
    }
    const float signed_sum = sum_of_lanes(sum);
    to[i] = signed_sum;
    words += as_uint(signed_sum);
  }
  stored[ITEM] = words;
  of_items[ITEM] = sum_of_lanes(squares);
#if SCANNERS > 1
  BARRIER_FOR_GLOBAL;
#endif
  if (ITEM == 0) {
    const ulong panels = (count + PANEL - 1) / PANEL;
    float of_keys = 0, of_vector = 0;
    words = 0;
    for (uint n = 0; n < SCANNERS; n++) {
      of_keys = of_keys + of_items[n];
      words += stored[n];
    }
    for (ulong i = 0; i < depth; i++) {
      of_vector = fma(to[i], to[i], of_vector);
    }
    of_keys = length_of_row(of_keys, from, panels * depth * PANEL);
    of_vector = length_of_row(of_vector, to, depth);
    const float roundings =
        SQRT((float)(depth + SCORE_ROUNDINGS)) * of_keys + SQRT((float)depth) * of_vector;
    to[depth] = roundings;
    to[KEY_WORDS] = as_float(words + as_uint(roundings));
  }
}

/* Where a value's column is, in floats, behind the first word of its block. */
#define VALUE_AT(j, column) ((column) / PANEL * v_stride + (j) * PANEL + (column) % PANEL)

/* The longest of a side's values, of some of their columns, if plain squares do not tell. */
FUNCTION float longest_of(
    GLOBAL const float* values,
    const uint side,
    const ulong count,
    const ulong left,
    const ulong right,
    const ulong v_stride) {
  float longest = 0;
  for (uint j = side * HALF; j < (side + 1) * HALF && j < count; j++) {
    Squares squares = {0, 0, 0};
    for (ulong c = left; c < right; c++) {
      add_square(&squares, values[VALUE_AT(j, c)]);
    }
    const float length = length_of(&squares);
    longest = length <= longest ? longest : length;
  }
  return longest;
}

/* A block of values, and a part of the columns of a head, per work-group. */
KERNEL(SCANNERS) void check_values(
    GLOBAL const float* RESTRICT v,
    GLOBAL float* RESTRICT value_checks,
    const ulong columns,
    const ulong keys,
    const ulong v_place,
    const ulong v_step,
    const ulong v_head,
    const ulong v_stride,
    const ulong first_block,
    const ulong check_place,
    const ulong check_pitch) {
  ALIGNED LOCAL float signs[KEYS];
  LOCAL float lengths[KEYS], sizes[KEYS];
  LOCAL uint stored[SCANNERS];
  const ulong block = first_block + GROUP_X, head = GROUP_Y / PARTS, part = GROUP_Y % PARTS;
  const ulong count = min((ulong)KEYS, keys - block * KEYS);
  const ulong left = part * PART_COLUMNS, right = min(columns, left + PART_COLUMNS);
  GLOBAL const float* from = v + v_place + head * v_head + block * v_step;
  const ulong entry = check_place + head * check_pitch + GROUP_X;
  GLOBAL float* to = value_checks + (entry * PARTS + part) * VALUE_ENTRY;
  uint words = 0;
  fill_signs(signs, ITEM, SCANNERS, KEYS);
#if SCANNERS > 1
  BARRIER;
#endif
  for (uint j = ITEM; j < KEYS; j += SCANNERS) {
    FLOATS sum = SPLAT(0.0f), squares = sum;
    for (ulong c = left; j < count && c < right; c += WIDTH) {
      const FLOATS x = LOAD_ALIGNED(0, from + VALUE_AT(j, c));
      sum = fma(LOAD_LOCAL(signs + (c - left) % KEYS), x, sum);
      squares = fma(x, x, squares);
    }
    const float signed_sum = sum_of_lanes(sum);
    to[j] = signed_sum;
    words += as_uint(signed_sum);
    sizes[j] = signed_sum < 0 ? -signed_sum : signed_sum;
    lengths[j] = sum_of_lanes(squares);
  }
#if SCANNERS > 1
  BARRIER;
#endif
  for (uint side = ITEM; side < 2; side += SCANNERS) {
    float longest = 0, largest = 0;
    for (uint j = side * HALF; j < (side + 1) * HALF && j < count; j++) {
      longest = lengths[j] <= longest ? longest : lengths[j];
      largest = sizes[j] <= largest ? largest : sizes[j];
    }
    /* What vanishes beside the longest does not matter. */
    longest = PLAIN_SQUARES(longest) ? SLACK * SQRT(longest)
                                     : longest_of(from, side, count, left, right, v_stride);
    largest = SLACK * largest;
    to[LONGEST + side] = longest;
    to[LARGEST + side] = largest;
    words += as_uint(longest) + as_uint(largest);
  }
  stored[ITEM] = words;
#if SCANNERS > 1
  BARRIER;
#endif
  if (ITEM == 0) {
    words = 0;
    for (uint n = 0; n < SCANNERS; n++) {
      words += stored[n];
    }
    to[VALUE_WORDS] = as_float(words);
  }
}

/* An item's share of the words of an entry, less, for the first of them, the sum at its end. */
FUNCTION uint unlike_its_sum(GLOBAL const float* entry, const ulong words) {
  uint all = ITEM == 0 ? 0 - as_uint(entry[words]) : 0;
  for (ulong i = ITEM; i < words; i += SCANNERS) {
    all += as_uint(entry[i]);
  }
  return all;
}

/*
 * Whether check vectors are what they were when they were made, after their last use: of a block and
 * a head per work-group, from entry number place on, a sum whose lower 32 bits are zeros.
 */
KERNEL(SCANNERS) void verify_checks(
    GLOBAL const float* RESTRICT key_checks,
    GLOBAL const float* RESTRICT value_checks,
    GLOBAL ulong* RESTRICT sums,
    const ulong place,
    const ulong depth,
    const ulong columns,
    const ulong seen,
    const ulong check_place,
    const ulong check_pitch,
    const ulong launch) {
  const ulong entry = check_place + GROUP_Y * check_pitch + GROUP_X;
  uint unlike = unlike_its_sum(key_checks + entry * KEY_ENTRY, KEY_WORDS);
  for (ulong part = 0; part < PARTS; part++) {
    unlike += unlike_its_sum(value_checks + (entry * PARTS + part) * VALUE_ENTRY, VALUE_WORDS);
  }
  Sums total = {unlike, 0, 0};
  PUT_TOGETHER(total, place + GROUP_Y * seen + GROUP_X)
}

/* What scores of a block add up to, with signs: a row per work-group, whose items share blocks. */
KERNEL(SCANNERS) void predict_scores(
    GLOBAL const float* RESTRICT from,
    GLOBAL const float* RESTRICT key_checks,
    GLOBAL float* RESTRICT predictions,
    const ulong place,
    const ulong of_head,
    const ulong of_query,
    const ulong queries,
    const ulong depth,
    const ulong rows,
    const ulong seen,
    const ulong check_place,
    const ulong check_pitch,
    const float scale) {
  const ulong row = GROUP_X;
  GLOBAL const float* query = from + place + row / queries * of_head + row % queries * of_query;
  const ulong vectors = depth / WIDTH;
  FLOATS squares = SPLAT(0.0f);
  float rest = 0;
  for (ulong i = 0; i < vectors; i++) {
    const FLOATS x = scale * LOAD(i, query);
    squares = fma(x, x, squares);
  }
  for (ulong i = vectors * WIDTH; i < depth; i++) {
    rest = fma(query[i] * scale, query[i] * scale, rest);
  }
  rest = rest + sum_of_lanes(squares);
  Squares all = {0, 0, 0};
  for (ulong i = 0; !PLAIN_SQUARES(rest) && i < depth; i++) {
    add_square(&all, query[i] * scale);
  }
  const float length = PLAIN_SQUARES(rest) ? SLACK * SQRT(rest) : length_of(&all);
  for (ulong first = ITEM * TOGETHER; first < seen; first += SCANNERS * TOGETHER) {
    FLOATS sum[TOGETHER];
    GLOBAL const float* vector[TOGETHER];
    UNROLL for (int b = 0; b < TOGETHER; b++) {
      const ulong block = min(first + b, seen - 1);
      vector[b] = key_checks + (check_place + row / rows * check_pitch + block) * KEY_ENTRY;
      sum[b] = SPLAT(0.0f);
    }
    for (ulong i = 0; i < vectors; i++) {
      const FLOATS x = scale * LOAD(i, query);
      UNROLL for (int b = 0; b < TOGETHER; b++) {
        sum[b] = fma(x, LOAD(i, vector[b]), sum[b]);
      }
    }
    UNROLL for (int b = 0; b < TOGETHER; b++) {
      float predicted = sum_of_lanes(sum[b]);
      for (ulong i = vectors * WIDTH; i < depth; i++) {
        predicted = fma(query[i] * scale, vector[b][i], predicted);
      }
      GLOBAL float* to = predictions + (row * seen + min(first + b, seen - 1)) * 2;
      to[0] = predicted;
      to[1] = fma(SPREAD, length * vector[b][depth], UNDERFLOW * (KEYS + 1) * (float)depth);
    }
  }
}

/*
 * What is known of a row, beside its result, from the checks of the blocks that it went through: its
 * own maximum, sum of weights, signed sum of the result, bounds of what its terms are as large as, and
 * what disagreed.
 */
typedef struct {
  float max;      /* the largest score */
  float sum;      /* of weights, in another order */
  float again;    /* of weights, in the same one */
  float product;  /* weights times signed sums of values */
  float length;   /* weights times the longest value */
  float terms;    /* weights times the largest signed sum of a value */
  float longest;  /* of any value */
  float ratio;    /* the largest difference from what was predicted, in tolerances */
  uint wrong;     /* not zero: words that changed, or weights that are not those of their scores */
  uint keys;      /* that it saw */
  uint words;     /* a digest of what it stored: values, the largest score, the sum of weights */
} Check;

/* The larger of two; not a number, or infinite, is the largest. */
FUNCTION float worse(const float a, const float b) {
  return a >= b ? a : a == a && b == b ? b : POSITIVE_INFINITY;
}

/* A difference in tolerances; infinite if the tolerance says nothing. */
FUNCTION float ratio_of(const float difference, const float tolerance) {
  const float size = difference < 0 ? -difference : difference;
  return size == 0 && tolerance == 0 ? 0.0f
         : tolerance < POSITIVE_INFINITY && size < POSITIVE_INFINITY ? size / tolerance
                                                                     : POSITIVE_INFINITY;
}

/* Onto a row's check another part of it; decays of what is behind, and of the part. */
FUNCTION void extend(Check* row, const Check* part, const float before, const float now) {
  row->sum = fma(row->sum, before, part->sum * now);
  row->product = fma(row->product, before, part->product * now);
  row->length = fma(row->length, before, part->length * now);
  row->terms = fma(row->terms, before, part->terms * now);
  row->longest = worse(row->longest, part->longest);
  row->ratio = worse(row->ratio, part->ratio);
  row->wrong |= part->wrong;
  row->keys += part->keys;
  row->words += part->words;
}

/* A digest of the words of a row: of one that changes, none stays the same. */
FUNCTION uint digest_of(const float x, const ulong column) {
  return as_uint(x) * (2 * (uint)column + 1);
}

/* The digest of what is known of a row behind its values. */
FUNCTION uint digest_of_softmax(const float max, const float sum, const ulong columns) {
  return digest_of(max, columns) + digest_of(sum, columns + 1);
}

/* An item's share of the digest of a row. */
FUNCTION uint digest_of_row(GLOBAL const float* words, const ulong columns) {
  uint sum = 0;
  for (ulong c = ITEM; c < columns; c += SCANNERS) {
    sum += digest_of(words[c], c);
  }
  return sum;
}

/* An item's share of the signed sum of a row; neighbours in lanes of their own. */
FUNCTION float signed_sum_of(GLOBAL const float* row, const ulong columns) {
  float lane[8];
  UNROLL for (int l = 0; l < 8; l++) {
    lane[l] = 0;
  }
  for (ulong c = ITEM; c < columns; c += 8 * SCANNERS) {
    UNROLL for (int l = 0; l < 8; l++) {
      const ulong column = c + l * SCANNERS;
      lane[l] = column < columns ? fma(sign_of(column % KEYS), row[column], lane[l]) : lane[l];
    }
  }
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/*
 * A weight below FAINT, of a score below FAINT_SCORE, counts as that, so that the product of four has
 * its place in a float.
 */
#define FAINT 0x1.f36bd4p-63f
#define FAINT_SCORE -43.0f

/*
 * By how much four weights, and their scores' distances from the largest one, miss each other: the
 * product is a power of e. No more than 0 if these are what they should be.
 */
FUNCTION FLOATS misfit(
    const FLOATS s0, const FLOATS s1, const FLOATS s2, const FLOATS s3,
    const FLOATS p0, const FLOATS p1, const FLOATS p2, const FLOATS p3) {
  const FLOATS low = SPLAT(FAINT_SCORE), faint = SPLAT(FAINT), scale = SPLAT(0x1p62f);
  const FLOATS sum = (LARGER(s0, low) + LARGER(s1, low)) + (LARGER(s2, low) + LARGER(s3, low));
  const FLOATS left = LARGER(p0, faint) * scale * LARGER(p1, faint);
  const FLOATS right = LARGER(p2, faint) * scale * LARGER(p3, faint);
  const FLOATS root = exponentials(SPLAT(0.5f) * sum) * scale;
  const FLOATS power = root * root;
  const FLOATS apart = left * right - power;
  const FLOATS most = fma(sum, SPLAT(-4 * 0x1p-24f), SPLAT(20 * 0x1p-24f)) * power;
  return LARGER(apart, SPLAT(0.0f) - apart) - most;
}

/*
 * Holds the sum of a row's weights, and the signed sum of so many of its columns, against what its
 * checks say.
 */
FUNCTION void finish(Check* row, const float sum, const float signed_sum, const ulong columns) {
  const float n = (float)row->keys, wide = (float)columns;
  const float blocks = n / KEYS + 2, spans = n / (KEYS * SPAN) + 2;
  const float of_sum = 40 + SPAN * SUM_ROUNDINGS + 4 * spans;
  const float of_result =
      n + 4 * blocks + wide / WIDTH + wide / SCANNERS + WIDTH + SCANNERS + 15;
  const float predicted = row->sum == 0 ? 0 : row->product / row->sum;
  const float size = predicted < 0 ? -predicted : predicted;
  const float of_lengths = SLACK * SPREAD * SQRT(of_result) * (row->length / row->sum);
  const float of_terms = SLACK * SPREAD * SQRT(of_sum) * (row->terms / row->sum);
  const float tolerance =
      row->sum == 0
          ? 0.0f
          : of_lengths + of_terms + of_sum * 0x1p-24f * size + UNDERFLOW * (n + 2) * wide;
  row->ratio = worse(row->ratio, ratio_of(sum - row->sum, of_sum * 0x1p-24f * row->sum));
  row->ratio = worse(row->ratio, ratio_of(signed_sum - predicted, tolerance));
  /* Weights that count as faint weigh nothing, unless values are that much larger than others. */
  const int heard = row->sum == 0 || row->longest * 0x1p-38f <= row->length;
  row->ratio = heard ? row->ratio : POSITIVE_INFINITY;
  /* The largest score has a weight of 1. */
  row->wrong |= row->max > NEGATIVE_INFINITY && !(sum > 0.5f);
}
