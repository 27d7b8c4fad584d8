// Minibatch SGD of one network of ReLU layers with softmax and cross entropy, in float32.
// Compiled for one shape, by -D:
//   SIZES   the layers, as 784,128,10
//   BATCH   samples of a minibatch
//   THREADS the most threads of a team
//   SPARSE  1 for images of bytes, whose zeros the first layer skips; 0 for images of float
//   SGEMM   0, or the width in bits of the integers of the BLAS for wide layers
//
// Glossary: W floats of a vector, G samples of a group, P(l) outputs of layer l, as whole vectors.
// a and dz are stored by samples, padded with zeros. dz is multiplied by -rate / batch, so the
// gradients are steps. Layer 0 is the input.
//
// A step has two barriers:
//   each thread changes its share of the parameters by the last minibatch, and computes its columns
//   of the first layer for this one; barrier; each thread computes all other layers, forward and
//   back, for its groups of samples, and lists the pixels of the next minibatch; barrier.
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

constexpr int N[] = {SIZES}, L = sizeof(N) / sizeof(int) - 1, FIRST = SPARSE ? 2 : 1;
constexpr int G = BATCH < 4 ? BATCH : 4, GROUPS = (BATCH + G - 1) / G, B = GROUPS * G;
constexpr int up(int n, int to) { return (n + to - 1) / to * to; }
constexpr int P(int l) { return up(N[l], W); }
constexpr int WORDS = up(N[0], 64) / 64;
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
  for (int u = 0; u < U; u++)
    for (int v = 0; v < V; v++)
      for (int s = 0; s < S; s++) sum[s][v] += part[u][s][v];
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

template <int l>
struct Layer {
  static constexpr int I = l == 0 ? 1 : P(l ? l - 1 : 0), O = P(l);
  static constexpr bool listed = SPARSE && l == 1;  // w is then stored by tiles of columns
  static constexpr bool both = l > 1 && !wide(l);  // w is stored transposed as well
  alignas(64) float w[size_t(l ? I : 0) * O + W];
  alignas(64) float wt[both ? size_t(up(O, 4)) * I : W];
  alignas(64) float b[O];
  alignas(64) float a[SPARSE && l == 0 ? W : size_t(B) * O], dz[l == 0 ? W : size_t(B) * O];
};

struct Lists {  // of each group: its pixels that are not all zero, and their values
  int count[GROUPS], pixel[GROUPS][N[0] + W];
  float value[GROUPS][G][N[0] + W];
};

template <class>
struct Layers;
template <size_t... l>
struct Layers<std::index_sequence<l...>> {
  std::tuple<Layer<int(l)>...> all;
};

struct Data {
  const void* images;
  const uint64_t* masks;  // bit p of a row: pixel p is not zero
  const int64_t *labels, *order;
  const float* rates;
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


// The first and the last share of n parts, for one thread of a team
struct Share {
  int begin, end;
  Share(int n, int t, int threads) : begin(n * t / threads), end(n * (t + 1) / threads) {}
};

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
    lists.count[g] = n;
  }
}

// a = relu(z); the last layer keeps z
template <int l, int V>
static INLINE void finish(vec (&z)[G][V], float* a) {
  for (int s = 0; s < G; s++)
    for (int v = 0; v < V; v++)
      store(a + s * P(l) + v * W, l == L ? z[s][v] : z[s][v] > 0.0f ? z[s][v] : vec{});
}

// The first layer of listed pixels, for a thread's columns: change by the last minibatch, of
// `past` groups, and compute a for this one, of `groups`
template <int V = tile(1, THREADS)>
static void first_layer(Net& net, Share tiles, int past, int groups, int which) {
  auto& own = net.at<1>();
  for (int c = tiles.begin * V * W; c < tiles.end * V * W; c += V * W) {
    float* w = own.w + size_t(c) * own.I;
    const Lists &old = net.lists[1 - which], &now = net.lists[which];
    for (int g = 0; g < past; g++) {
      vec dz[G][V];
      for (int s = 0; s < G; s++)
        for (int v = 0; v < V; v++) {
          dz[s][v] = load(own.dz + (g * G + s) * own.O + c + v * W);
          store(own.b + c + v * W, load(own.b + c + v * W) + dz[s][v]);
        }
      for (int k = 0; k < old.count[g]; k++) {
        float* row = w + old.pixel[g][k] * V * W;
        vec x[G];
        for (int s = 0; s < G; s++) x[s] = old.value[g][s][k] + vec{};
        for (int v = 0; v < V; v++) {
          vec sum = load(row + v * W);
          for (int s = 0; s < G; s++) sum += x[s] * dz[s][v];
          store(row + v * W, sum);
        }
      }
    }
    for (int g = 0; g < groups; g++) {
      vec z[G][V];
      for (int s = 0; s < G; s++)
        for (int v = 0; v < V; v++) z[s][v] = load(own.b + c + v * W);
      accumulate(
          z, now.count[g], [&](int k) { return w + now.pixel[g][k] * V * W; },
          [&](int k, int s) { return now.value[g][s][k]; });
      finish<1>(z, own.a + g * G * own.O + c);
    }
  }
}

// a of layer l for some groups of samples
template <int l>
static void forward(Net& net, Share groups) {
  auto &below = net.at<l - 1>(), &own = net.at<l>();
  constexpr int I = own.I, O = own.O, V = wide(l) ? 1 : tile(l, 1);
  const int first = groups.begin * G, rows = groups.end * G - first;
  if (wide(l) && rows) {
    for (int s = 0; s < rows; s++) memcpy(own.a + (first + s) * O, own.b, sizeof own.b);
    sgemm(ROW_MAJOR, PLAIN, PLAIN, rows, O, I, 1, below.a + first * I, I, own.w, O, 1,
          own.a + first * O, O);
  }
  for (int c = 0; c < O; c += V * W)
    for (int g = groups.begin; g < groups.end; g++) {
      const float* x = below.a + g * G * I;
      float* a = own.a + g * G * O + c;
      vec z[G][V];
      for (int s = 0; s < G; s++)
        for (int v = 0; v < V; v++) z[s][v] = load((wide(l) ? a + s * O : own.b + c) + v * W);
      if (!wide(l))
        accumulate(
            z, N[l - 1], [&](int k) { return own.w + size_t(k) * O + c; },
            [&](int k, int s) { return x[s * I + k]; });
      finish<l>(z, a);
    }
}

// dz of the last layer: (softmax - 1 at the label) * rate; 0 for samples from m on
static void output(Net& net, const Data& d, int64_t first, int m, float rate, Share groups) {
  auto& own = net.at<L>();
  for (int s = groups.begin * G; s < groups.end * G; s++) {
    const float* z = own.a + s * own.O;
    float *dz = own.dz + s * own.O, total = 0;
    const float top = *std::max_element(z, z + N[L]);
    for (int o = 0; o < own.O; o++) dz[o] = exponential(std::min(z[o] - top, 0.0f));
    for (int o = 0; o < N[L]; o++) total += dz[o];
    const float factor = s < m ? rate / total : 0;
    for (int o = 0; o < own.O; o++) dz[o] = o < N[L] ? dz[o] * factor : 0;
    if (s < m) dz[d.labels[d.order[first + s]]] -= rate;
  }
}

// dz of layer l - 1 for some groups of samples: dz w^T where a > 0
template <int l>
static void back(Net& net, Share groups) {
  auto &below = net.at<l - 1>(), &own = net.at<l>();
  constexpr int I = own.I, O = own.O, V = wide(l) ? 1 : tile(l - 1, 1);
  const int first = groups.begin * G, rows = groups.end * G - first;
  if (wide(l) && rows)
    sgemm(ROW_MAJOR, PLAIN, TRANSPOSED, rows, I, O, 1, own.dz + first * O, O, own.w, O, 0,
          below.dz + first * I, I);
  for (int c = 0; c < I; c += V * W)
    for (int g = groups.begin; g < groups.end; g++) {
      const float *dz = own.dz + g * G * O, *a = below.a + g * G * I + c;
      float* dx = below.dz + g * G * I + c;
      vec sum[G][V] = {};
      if (!wide(l))
        accumulate(
            sum, N[l], [&](int k) { return own.wt + size_t(k) * I + c; },
            [&](int k, int s) { return dz[s * O + k]; });
      for (int s = 0; s < G; s++)
        for (int v = 0; v < V; v++) {
          const int at = s * I + v * W;
          store(dx + at, load(a + at) > 0.0f ? (wide(l) ? load(dx + at) : sum[s][v]) : vec{});
        }
    }
}

// matrix (rows, columns) += x^T y of m samples, for rows and columns from a first to an end
template <int V, int X, int Y, int COLUMNS>
static void add_product(float* matrix, const float* x, const float* y, int m, int r, int rows,
                        int c0, int columns) {
  for (; r < rows; r += 4)
    for (int c = c0; c < columns; c += V * W) {
      vec sum[4][V];
      float* at = matrix + size_t(r) * COLUMNS + c;
      for (int s = 0; s < 4; s++)
        for (int v = 0; v < V; v++) sum[s][v] = load(at + s * COLUMNS + v * W);
      accumulate(
          sum, m, [&](int k) { return y + k * Y + c; },
          [&](int k, int s) { return x[k * X + r + s]; });
      for (int s = 0; s < 4; s++)
        for (int v = 0; v < V; v++) store(at + s * COLUMNS + v * W, sum[s][v]);
    }
}

// Change a thread's rows of w of layer l by a minibatch of m samples: those of its columns of the
// layer below, since other threads may compute their columns of the next minibatch already
template <int l>
static void update(Net& net, int m, int t, int threads) {
  auto &below = net.at<l - 1>(), &own = net.at<l>();
  constexpr int I = own.I, O = own.O, V = tile(l - 1, THREADS);
  const Share tiles(I / W / V, t, threads);
  const int i0 = tiles.begin * V * W, i1 = tiles.end * V * W;
  if (wide(l) && i1 > i0)
    sgemm(ROW_MAJOR, TRANSPOSED, PLAIN, i1 - i0, O, m, 1, below.a + i0, I, own.dz, O, 1,
          own.w + size_t(i0) * O, O);
  if (!wide(l)) add_product<tile(l, 1), I, O, O>(own.w, below.a, own.dz, m, i0, i1, 0, O);
  if (own.both) add_product<V, O, I, I>(own.wt, own.dz, below.a, m, 0, N[l], i0, i1);
  if (t == l % threads)
    for (int s = 0; s < m; s++)
      for (int o = 0; o < O; o++) own.b[o] += own.dz[s * O + o];
}

template <int l>
static void forward_all(Net& net, Share groups) {
  if constexpr (l <= L) forward<l>(net, groups), forward_all<l + 1>(net, groups);
}
template <int l>
static void back_all(Net& net, Share groups) {
  if constexpr (l > 1) back<l>(net, groups), back_all<l - 1>(net, groups);
}
template <int l>
static void update_all(Net& net, int m, int t, int threads) {
  if constexpr (l <= L) update<l>(net, m, t, threads), update_all<l + 1>(net, m, t, threads);
}

// The work of thread t
static void work(Net& net, const Data& d, int t, int threads) {
  const int64_t steps = (d.samples + BATCH - 1) / BATCH;
  const auto size = [&](int64_t step) {
    return int(std::max<int64_t>(0, std::min<int64_t>(BATCH, d.samples - step * BATCH)));
  };
  const auto groups = [&](int64_t step) { return (size(step) + G - 1) / G; };
  const auto share = [&](int64_t step) { return Share(groups(step), t, threads); };
  if (SPARSE) make_lists(net, d, 0, size(0), share(0), 0), barrier(net, threads);
  for (int64_t step = 0;; step++) {
    const int which = step % 2, m = size(step), past = step ? size(step - 1) : 0;
    if (past) update_all<FIRST>(net, past, t, threads);
    if constexpr (SPARSE) {
      const Share tiles(P(1) / W / tile(1, THREADS), t, threads);
      first_layer(net, tiles, step ? groups(step - 1) : 0, groups(step), which);
    }
    if (step == steps) return;
    barrier(net, threads);
    const Share own = share(step);
    if constexpr (!SPARSE)
      for (int s = own.begin * G; s < std::min(own.end * G, m); s++)
        memcpy(net.at<0>().a + s * P(0),
               (const float*)d.images + d.order[step * BATCH + s] * N[0], sizeof(float) * N[0]);
    forward_all<FIRST>(net, own);
    output(net, d, step * BATCH, m, -d.rates[step] / m, own);
    back_all<L>(net, own);
    if (SPARSE) make_lists(net, d, (step + 1) * BATCH, size(step + 1), share(step + 1), 1 - which);
    barrier(net, threads);
  }
}

// Copy the parameters of layer l from w (inputs, outputs) and b, or into them
template <int l>
static void copy(Net& net, int layer, float* w, float* b, bool out) {
  if constexpr (l <= L) {
    if (l != layer) return copy<l + 1>(net, layer, w, b, out);
    auto& own = net.at<l>();
    constexpr int T = own.listed ? tile(1, THREADS) * W : own.O;
    const auto move = [&](float& mine, float& other) { (out ? other : mine) = out ? mine : other; };
    for (int i = 0; i < N[l - 1]; i++)
      for (int o = 0; o < N[l]; o++) {
        float& value = own.w[(size_t(o / T) * own.I + i) * T + o % T];
        move(value, w[size_t(i) * N[l] + o]);
        if (own.both) own.wt[size_t(o) * own.I + i] = value;
      }
    for (int o = 0; o < N[l]; o++) move(own.b[o], b[o]);
  }
}

extern "C" {
Net* make() { return new Net(); }
void destroy(Net* net) { delete net; }
void copy_layer(Net* net, int l, float* w, float* b, int out) { copy<1>(*net, l, w, b, out); }

void train(Net* net, Sgemm blas, const void* images, const uint64_t* masks, const int64_t* labels,
           const int64_t* order, const float* rates, int64_t samples, int threads) {
  sgemm = blas;
  const Data data{images, masks, labels, order, rates, samples};
  std::vector<std::thread> team;
  for (int t = 1; t < threads; t++) team.emplace_back(work, std::ref(*net), std::ref(data), t, threads);
  work(*net, data, 0, threads);
  for (auto& each : team) each.join();
}
}
