// Minibatch training of one network in float32.
// Compiled for one shape, by -D:
//   SIZES   the layers, as 784,128,10
//   BATCH   samples of a minibatch
//   THREADS the most threads of a team
//   SPARSE  1 for images of bytes, whose zeros the first layer skips; 0 for images of float
//   HIDDEN, OUTPUT, OPTIMIZER  names of the lists in shape.h; the cost is that of the output
//   BETA_1, BETA_2  of Adam; BETA_1 of momentum
//   SGEMM   0, or the width in bits of the integers of the BLAS for wide layers
//
// A step has two barriers: each thread changes its share of the parameters by the last minibatch,
// and computes its columns of the first layer for this one; barrier; each thread computes all
// other layers, forward and back, for its groups of samples, and lists the pixels of the next
// minibatch; barrier. dz is multiplied by -rate / batch for SGD, so that its gradients are steps;
// by 1 / batch for the others.
#include "pixels.h"

// a = f(z); the last layer keeps z
template <int l, int V>
static INLINE void finish(vec (&z)[G][V], float* a) {
  const bool keep = l == L || HIDDEN != RELU;
  for (int s = 0; s < G; s++) {
    for (int v = 0; v < V; v++)
      store(a + s * P(l) + v * W, keep ? z[s][v] : z[s][v] > 0.0f ? z[s][v] : vec{});
    if (l < L && HIDDEN != RELU) activate(a + s * P(l), V * W);
  }
}

// a of layer l for some groups of samples
template <int l>
static void forward(Net& net, Share groups) {
  auto &below = net.at<l - 1>(), &own = net.at<l>();
  constexpr int I = own.I, O = own.O, V = wide(l) ? 1 : tile(l, 1);
  const int first = groups.begin * G, rows = groups.end * G - first;
  if (wide(l) && rows) {
    for (int s = 0; s < rows; s++) memcpy(own.a + (first + s) * O, own.b.p, sizeof own.b.p);
    sgemm(ROW_MAJOR, PLAIN, PLAIN, rows, O, I, 1, below.a + first * I, I, own.w.p, O, 1,
          own.a + first * O, O);
  }
  for (int c = 0; c < O; c += V * W)
    for (int g = groups.begin; g < groups.end; g++) {
      const float* x = below.a + g * G * I;
      float* a = own.a + g * G * O + c;
      vec z[G][V];
      for (int s = 0; s < G; s++)
        for (int v = 0; v < V; v++) z[s][v] = load((wide(l) ? a + s * O : own.b.p + c) + v * W);
      if (!wide(l))
        accumulate(
            z, N[l - 1], [&](int k) { return own.w.p + size_t(k) * O + c; },
            [&](int k, int s) { return x[s * I + k]; });
      finish<l>(z, a);
    }
}

// dz of the last layer: (a - y) * rate, for the squared error twice that; 0 for samples from m on
static void output(Net& net, const Data& d, int64_t first, int m, float rate, Share groups) {
  auto& own = net.at<L>();
  for (int s = groups.begin * G; s < groups.end * G; s++) {
    const float* z = own.a + s * own.O;
    float *dz = own.dz + s * own.O, total = 0;
    const int64_t row = s < m ? d.order[first + s] : 0;
    if (OUTPUT != SOFTMAX) {  // 1 / (1 + e^-z) = (tanh(z / 2) + 1) / 2
      const float *y = (const float*)d.targets + row * N[L], factor = s < m ? rate : 0;
      for (int o = 0; o < own.O; o++) {
        const float a = OUTPUT == SIGMOID ? (tangent(z[o] / 2) + 1) / 2 : 2 * z[o];
        dz[o] = o < N[L] ? (a - (OUTPUT == SIGMOID ? y[o] : 2 * y[o])) * factor : 0;
      }
      continue;
    }
    const float top = *std::max_element(z, z + N[L]);
    for (int o = 0; o < own.O; o++) dz[o] = exponential(std::min(z[o] - top, 0.0f));
    for (int o = 0; o < N[L]; o++) total += dz[o];
    const float factor = s < m ? rate / total : 0;
    for (int o = 0; o < own.O; o++) dz[o] = o < N[L] ? dz[o] * factor : 0;
    if (s < m) dz[((const int64_t*)d.targets)[row]] -= rate;
  }
}

// dz of layer l - 1 for some groups of samples: (dz w^T) f'(z), which is a > 0, or 1 - a^2 of tanh
template <int l>
static void back(Net& net, Share groups) {
  auto &below = net.at<l - 1>(), &own = net.at<l>();
  constexpr int I = own.I, O = own.O, V = wide(l) ? 1 : tile(l - 1, 1);
  const int first = groups.begin * G, rows = groups.end * G - first;
  if (wide(l) && rows)
    sgemm(ROW_MAJOR, PLAIN, TRANSPOSED, rows, I, O, 1, own.dz + first * O, O, own.w.p, O, 0,
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
          const vec x = wide(l) ? load(dx + at) : sum[s][v], f = load(a + at);
          store(dx + at, HIDDEN == TANH ? x * (1.0f - f * f) : f > 0.0f ? x : vec{});
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
static void update(Net& net, int m, int t, int threads, Step step) {
  auto &below = net.at<l - 1>(), &own = net.at<l>();
  constexpr int I = own.I, O = own.O, V = tile(l - 1, THREADS);
  const Share tiles(I / W / V, t, threads);
  const int i0 = tiles.begin * V * W, i1 = tiles.end * V * W;
  float *w = own.w.into(), *b = own.b.into();
  if (wide(l) && i1 > i0)
    sgemm(ROW_MAJOR, TRANSPOSED, PLAIN, i1 - i0, O, m, 1, below.a + i0, I, own.dz, O, 1,
          w + size_t(i0) * O, O);
  if (!wide(l)) add_product<tile(l, 1), I, O, O>(w, below.a, own.dz, m, i0, i1, 0, O);
  change(own.w, size_t(i0) * O, size_t(i1 - i0) * O, step);
  if (own.both && OPTIMIZER == SGD)
    add_product<V, O, I, I>(own.wt, own.dz, below.a, m, 0, N[l], i0, i1);
  if (own.both && OPTIMIZER != SGD)
    for (int o = 0; o < N[l]; o++)
      for (int i = i0; i < i1; i++) own.wt[size_t(o) * I + i] = own.w.p[size_t(i) * O + o];
  if (t == l % threads) {
    for (int s = 0; s < m; s++)
      for (int o = 0; o < O; o++) b[o] += own.dz[s * O + o];
    change(own.b, 0, O, step);
  }
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
static void update_all(Net& net, int m, int t, int threads, Step step) {
  if constexpr (l <= L)
    update<l>(net, m, t, threads, step), update_all<l + 1>(net, m, t, threads, step);
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
    const Step last = step ? d.steps[step - 1] : Step{};
    if (past) update_all<FIRST>(net, past, t, threads, last);
    if constexpr (SPARSE) {
      const Share tiles(P(1) / W / tile(1, THREADS), t, threads);
      first_layer(net, tiles, step ? groups(step - 1) : 0, groups(step), which, last);
    }
    if (step == steps) return;
    barrier(net, threads);
    const Share own = share(step);
    if constexpr (!SPARSE)
      for (int s = own.begin * G; s < std::min(own.end * G, m); s++)
        memcpy(net.at<0>().a + s * P(0),
               (const float*)d.images + d.order[step * BATCH + s] * N[0], sizeof(float) * N[0]);
    forward_all<FIRST>(net, own);
    output(net, d, step * BATCH, m, (OPTIMIZER == SGD ? -d.steps[step].rate : 1) / m, own);
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
        float& value = own.w.p[(size_t(o / T) * own.I + i) * T + o % T];
        move(value, w[size_t(i) * N[l] + o]);
        if (own.both) own.wt[size_t(o) * own.I + i] = value;
      }
    for (int o = 0; o < N[l]; o++) move(own.b.p[o], b[o]);
  }
}

extern "C" {
Net* make() { return new Net(); }
void destroy(Net* net) { delete net; }
void copy_layer(Net* net, int l, float* w, float* b, int out) { copy<1>(*net, l, w, b, out); }

void train(Net* net, Sgemm blas, const void* images, const uint64_t* masks, const void* targets,
           const int64_t* order, const Step* steps, int64_t samples, int threads) {
  sgemm = blas;
  // images of one class have more pixels in common, so their groups have shorter lists
  std::vector<int64_t> sorted(order, order + samples);
  const auto before = [&](int64_t i, int64_t j) {
    return ((const int64_t*)targets)[i] < ((const int64_t*)targets)[j];
  };
  if (SPARSE && G > 1 && OUTPUT == SOFTMAX)
    for (int64_t at = 0; at < samples; at += BATCH)
      std::sort(&sorted[at], &sorted[at] + std::min<int64_t>(BATCH, samples - at), before);
  const Data data{images, masks, targets, sorted.data(), steps, samples};
  std::vector<std::thread> team;
  for (int t = 1; t < threads; t++)
    team.emplace_back(work, std::ref(*net), std::ref(data), t, threads);
  work(*net, data, 0, threads);
  for (auto& each : team) each.join();
}
}
