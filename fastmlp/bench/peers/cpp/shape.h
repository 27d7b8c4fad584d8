// The shape of one network, its memory, vectors, and the team of threads.
//
// Glossary: W floats of a vector, G samples of a group, P(l) outputs of layer l, as whole vectors.
// a and dz are stored by samples, padded with zeros. Layer 0 is the input.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
constexpr int W = 16, MOST = 4;
#elif defined(__AVX__)
constexpr int W = 8, MOST = 2;
#else
constexpr int W = 4, MOST = 2;
#endif
typedef float vec __attribute__((vector_size(4 * W)));

// What -D chooses: activations of hidden layers, outputs, optimisers
enum { RELU, TANH };
enum { SOFTMAX, SIGMOID, IDENTITY };
enum { SGD, MOMENTUM, ADAM };

constexpr int N[] = {SIZES}, L = sizeof(N) / sizeof(int) - 1, FIRST = SPARSE ? 2 : 1;
constexpr int G = BATCH < 4 ? BATCH : 4, GROUPS = (BATCH + G - 1) / G, B = GROUPS * G;
constexpr int up(int n, int to) { return (n + to - 1) / to * to; }
constexpr int P(int l) { return up(N[l], W); }
// Words of a row of masks; blocks of so many words of pixels, whose w stays in the L1 cache
constexpr int WORDS = up(N[0], 64) / 64, BLOCK = 2, BLOCKS = (WORDS + BLOCK - 1) / BLOCK;
#define INLINE inline __attribute__((always_inline))

// Vectors of a tile of columns: as many as registers allow, but a tile for each thread
constexpr int tile(int l, int threads) {
  for (int v = MOST; v > 1; v /= 2)
    if (P(l) / W % v == 0 && P(l) / W / v >= threads) return v;
  return 1;
}

static INLINE vec load(const float* p) { return *(const vec*)p; }
static INLINE void store(float* p, vec x) { *(vec*)p = x; }

// sum[s][v] += x(k, s) row(k)[v] for all k; with two or more partial sums if there are few
template <int S, int V, class Row, class X>
static INLINE void accumulate(vec (&sum)[S][V], int n, Row row, X x) {
  constexpr int U = S * V >= 8 ? 1 : 8 / (S * V);
  vec part[U][S][V] = {};
  memcpy(part[0], sum, sizeof sum);
  int k = 0;
  for (; k + U <= n; k += U)
    for (int u = 0; u < U; u++) {
      const float* r = row(k + u);
      for (int v = 0; v < V; v++) {
        const vec w = load(r + v * W);
        for (int s = 0; s < S; s++) part[u][s][v] += x(k + u, s) * w;
      }
    }
  for (; k < n; k++)
    for (int v = 0; v < V; v++)
      for (int s = 0; s < S; s++) part[0][s][v] += x(k, s) * load(row(k) + v * W);
  for (int v = 0; v < V; v++)
    for (int s = 0; s < S; s++) {
      sum[s][v] = part[0][s][v];
      for (int u = 1; u < U; u++) sum[s][v] += part[u][s][v];
    }
}

// e^x for x <= 0, to 2 units in the last place: 2^n times a polynomial on +-ln(2)/2
static INLINE float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float n = std::rint(x * 1.44269504f), r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const int32_t bits = (int32_t(n) + 127) << 23;
  float power;
  memcpy(&power, &bits, 4);
  return (p * r * r + r + 1.0f) * power;
}

// tanh x = +-(1 - e) / (1 + e), e = e^(-2 |x|)
static INLINE float tangent(float x) {
  const float e = exponential(-2.0f * std::fabs(x));
  return std::copysign((1.0f - e) / (1.0f + e), x);
}

// a = f(a) of n values of a hidden layer
static INLINE void activate(float* a, int n) {
  for (int i = 0; i < n; i++) a[i] = HIDDEN == RELU ? std::max(a[i], 0.0f) : tangent(a[i]);
}

#if SGEMM == 64
using Int = int64_t;
#else
using Int = int32_t;
#endif
using Sgemm = void (*)(int, int, int, Int, Int, Int, float, const float*, Int, const float*, Int,
                       float, float*, Int);
static Sgemm sgemm;
constexpr int ROW_MAJOR = 101, PLAIN = 111, TRANSPOSED = 112;
// Whether the products of layer l are large enough for the BLAS
constexpr bool wide(int l) { return SGEMM && l >= FIRST && P(l) >= 64 && BATCH >= 32; }

// Parameters p, and what a step needs: gradients g, which are 0 between two steps, and state m, v
template <size_t n>
struct Values {
  alignas(64) float p[n], g[OPTIMIZER == SGD ? W : n];
  alignas(64) float m[OPTIMIZER == SGD ? W : n], v[OPTIMIZER == ADAM ? n : W];
  // Where products add: for SGD dz contains the rate
  float* into() { return OPTIMIZER == SGD ? p : g; }
};

template <int l>
struct Layer {
  static constexpr int I = l == 0 ? 1 : P(l ? l - 1 : 0), O = P(l);
  static constexpr bool listed = SPARSE && l == 1;  // w is then stored by tiles of columns
  static constexpr bool both = l > 1 && !wide(l);  // w is stored transposed as well
  static constexpr size_t size = size_t(l ? I : 0) * O + W;
  Values<size> w;
  alignas(64) float wt[both ? size_t(up(O, 4)) * I : W];
  Values<O> b;
  alignas(64) float a[SPARSE && l == 0 ? W : size_t(B) * O], dz[l == 0 ? W : size_t(B) * O];
};

// Of each group: its pixels that are not all zero, their values, and where each block starts
struct Lists {
  int start[GROUPS][BLOCKS + 1], pixel[GROUPS][N[0] + W];
  float value[GROUPS][G][N[0] + W];
};

template <class>
struct Layers;
template <size_t... l>
struct Layers<std::index_sequence<l...>> {
  std::tuple<Layer<int(l)>...> all;
};

// What a step multiplies by, and Adam's epsilon
struct Step {
  float rate, epsilon;
};

struct Data {
  const void* images;
  const uint64_t* masks;  // bit p of a row: pixel p is not zero
  const void* targets;    // int64 labels of softmax, otherwise float rows of outputs
  const int64_t* order;
  const Step* steps;
  int64_t samples;
};

struct Net : Layers<std::make_index_sequence<L + 1>> {
  Lists lists[SPARSE ? 2 : 1];
  alignas(64) std::atomic<int> arrived{0};
  alignas(64) std::atomic<int> turn{0};
  template <int l>
  Layer<l>& at() { return std::get<l>(all); }
};

static void barrier(Net& net, int threads) {
  const int turn = net.turn.load(std::memory_order_relaxed);
  if (net.arrived.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
    net.arrived.store(0, std::memory_order_relaxed);
    net.turn.store(turn + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; net.turn.load(std::memory_order_acquire) == turn; spins++) {
#if defined(__x86_64__)
    _mm_pause();
#endif
    if (spins > 5000) std::this_thread::yield();
  }
}

// The parts, of n, of thread t of a team
struct Share {
  int begin, end;
  Share(int n, int t, int threads) : begin(n * t / threads), end(n * (t + 1) / threads) {}
};

// Take a step of n values, from `first` on; their gradients become 0. For SGD it is taken already
template <size_t size>
static INLINE void change(Values<size>& values, size_t first, size_t n, Step step) {
  if (OPTIMIZER == SGD) return;
  float *__restrict p = values.p + first, *__restrict g = values.g + first;
  float *__restrict m = values.m + first, *__restrict v = values.v;
  if (OPTIMIZER == ADAM) v += first;
  for (size_t i = 0; i < n; i++) {
    if (OPTIMIZER == MOMENTUM) {
      m[i] = float(BETA_1) * m[i] + g[i];
      p[i] -= step.rate * m[i];
    } else {
      m[i] = float(BETA_1) * m[i] + float(1 - BETA_1) * g[i];
      v[i] = float(BETA_2) * v[i] + float(1 - BETA_2) * g[i] * g[i];
      p[i] -= step.rate * m[i] / (std::sqrt(v[i]) + step.epsilon);
    }
    g[i] = 0;
  }
}
