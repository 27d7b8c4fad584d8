// The first layer for images of bytes: pixels that are zero in all samples of a group are skipped.
#pragma once
#include "shape.h"

// List the pixels of the groups of a minibatch that starts at `first` and has m samples
static void make_lists(Net& net, const Data& d, int64_t first, int m, Share groups, int which) {
  static const uint8_t blank[N[0]] = {};
  static const uint64_t none[WORDS] = {};
#if defined(__AVX512F__)
  const __m512i iota = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
  Lists& lists = net.lists[which];
  for (int g = groups.begin; g < groups.end; g++) {
    const uint8_t* x[4] = {blank, blank, blank, blank};
    const uint64_t* mask[4] = {none, none, none, none};
    for (int s = 0; s < G && g * G + s < m; s++) {
      const int64_t row = d.order[first + g * G + s];
      x[s] = (const uint8_t*)d.images + row * N[0];
      mask[s] = d.masks + row * WORDS;
    }
    int n = 0, *pixel = lists.pixel[g];
    for (int word = 0; word < WORDS; word++) {
      if (word % BLOCK == 0) lists.start[g][word / BLOCK] = n;
      uint64_t bits = mask[0][word] | mask[1][word] | mask[2][word] | mask[3][word];
#if defined(__AVX512BW__) && defined(__AVX512VL__)
      for (int p = 64 * word; bits; p += 16, bits >>= 16) {
        const __mmask16 some = bits & 0xffff;
        const __m512i number = _mm512_add_epi32(_mm512_set1_epi32(p), iota);
        _mm512_storeu_si512(pixel + n, _mm512_maskz_compress_epi32(some, number));
        for (int s = 0; s < G; s++) {
          const __m512i bytes = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(some, x[s] + p));
          const __m512 value = _mm512_cvtepi32_ps(bytes) * (1.0f / 255.0f);
          _mm512_storeu_ps(lists.value[g][s] + n, _mm512_maskz_compress_ps(some, value));
        }
        n += __builtin_popcount(some);
      }
    }
#else
      for (; bits; bits &= bits - 1) pixel[n++] = 64 * word + __builtin_ctzll(bits);
    }
    for (int s = 0; s < G; s++)
      for (int k = 0; k < n; k++) lists.value[g][s][k] = x[s][pixel[k]] * (1.0f / 255.0f);
#endif
    lists.start[g][BLOCKS] = n;
  }
}

// w += x^T dz of a group, for the listed pixels from k to end
template <int V>
static INLINE void add_pixels(float* w, const Lists& lists, int g, int k, int end,
                              const float* dz) {
  vec own[G][V];
  for (int s = 0; s < G; s++)
    for (int v = 0; v < V; v++) own[s][v] = load(dz + s * P(1) + v * W);
  for (; k < end; k++) {
    float* row = w + lists.pixel[g][k] * V * W;
    vec x[G];
    for (int s = 0; s < G; s++) x[s] = lists.value[g][s][k] - vec{};
    for (int v = 0; v < V; v++) {
      vec sum = load(row + v * W);
      for (int s = 0; s < G; s++) sum += x[s] * own[s][v];
      store(row + v * W, sum);
    }
  }
}

// z += x w of a group, for the listed pixels from k to end
template <int V>
static INLINE void add_inputs(const float* w, const Lists& lists, int g, int k, int end, float* z) {
  vec sum[G][V];
  for (int s = 0; s < G; s++)
    for (int v = 0; v < V; v++) sum[s][v] = load(z + s * P(1) + v * W);
  accumulate(
      sum, end - k, [&](int i) { return w + lists.pixel[g][k + i] * V * W; },
      [&](int i, int s) { return lists.value[g][s][k + i]; });
  for (int s = 0; s < G; s++)
    for (int v = 0; v < V; v++) store(z + s * P(1) + v * W, sum[s][v]);
}

// The first layer of listed pixels, for a thread's columns: change w by the last minibatch, of
// `past` groups, and compute a for this one, of `groups`; rows by blocks, for the L1 cache
template <int V = tile(1, THREADS)>
static void first_layer(Net& net, Share tiles, int past, int groups, int which, Step step) {
  auto& own = net.at<1>();
  const Lists &old = net.lists[1 - which], &now = net.lists[which];
  for (int c = tiles.begin * V * W; c < tiles.end * V * W; c += V * W) {
    const size_t first = size_t(c) * own.I;
    float *w = own.w.into() + first, *a = own.a + c, *b = own.b.into() + c;
    const float* dz = own.dz + c;
    for (int s = 0; s < past * G; s++)
      for (int v = 0; v < V; v++) store(b + v * W, load(b + v * W) + load(dz + s * P(1) + v * W));
    if (past) change(own.b, c, V * W, step);
    for (int s = 0; s < groups * G; s++) memcpy(a + s * P(1), own.b.p + c, sizeof(float) * V * W);
    for (int block = 0; block < BLOCKS; block++) {
      for (int g = 0; g < past; g++)
        add_pixels<V>(w, old, g, old.start[g][block], old.start[g][block + 1], dz + g * G * P(1));
      const int row = 64 * BLOCK * block, rows = std::min(64 * BLOCK, own.I - row);
      if (past) change(own.w, first + size_t(row) * V * W, size_t(rows) * V * W, step);
      for (int g = 0; g < groups; g++)
        add_inputs<V>(own.w.p + first, now, g, now.start[g][block], now.start[g][block + 1],
                      a + g * G * P(1));
    }
    if (L > 1)
      for (int s = 0; s < groups * G; s++) activate(a + s * P(1), V * W);
  }
}
