// Batch norm of contiguous (outer, channels, inner) data; inner == 1 is channels last. Compiled for each element type with
//   -DBN_T=float|double|__half|__nv_bfloat16  -DBN_A=float|double (computing type)  -DBN_V=1|2|4|8 (elements per load; divides inner, or channels)
// Sums are in double, of differences to the channel's first element: a large mean costs nothing. No atomics: the result is always the same.
#ifdef WITH_HALF
#include <cuda_fp16.h>
#endif
#ifdef WITH_BFLOAT
#include <cuda_bf16.h>
#endif
typedef long long Index;
typedef BN_T T;
typedef BN_A A;
enum { V = BN_V };

struct __align__(sizeof(T) * V) Pack { T v[V]; };

__device__ __forceinline__ A widen(T x) { return static_cast<A>(x); }
__device__ __forceinline__ T narrow(A x) { return static_cast<T>(x); }
__device__ __forceinline__ Pack get(const T* p, Index i) { return *reinterpret_cast<const Pack*>(p + i); }
__device__ __forceinline__ void put(T* p, Index i, const Pack& x) { *reinterpret_cast<Pack*>(p + i) = x; }

template <int K> struct Sums {
    double s[K];
    __device__ __forceinline__ Sums() { for (int k = 0; k < K; ++k) s[k] = 0.0; }
};

// (sum of d, sum of d * d), or with a gradient (sum of dy, sum of dy * d, sum of d)
__device__ __forceinline__ void take(Sums<2>& a, A x, A shift, A) {
    const double d = x - shift;
    a.s[0] += d;
    a.s[1] += d * d;
}
__device__ __forceinline__ void take(Sums<3>& a, A x, A center, A dy) {
    const double d = x - center, g = dy;
    a.s[0] += g;
    a.s[1] += g * d;
    a.s[2] += d;
}

template <int K> __device__ void block_sum(Sums<K>& a, double* room) {
    const int me = threadIdx.y * blockDim.x + threadIdx.x, all = blockDim.x * blockDim.y;
    for (int k = 0; k < K; ++k) {
        room[me] = a.s[k];
        __syncthreads();
        for (int half = all / 2; half > 0; half /= 2) {
            if (me < half) room[me] += room[me + half];
            __syncthreads();
        }
        a.s[k] = room[0];
        __syncthreads();
    }
}

// grid (channels, splits), 256 threads; part[k][split][channel]
template <int K> __device__ void planes(const T* x, const T* dy, const A* center, double* part, Index outer, Index channels, Index inner) {
    __shared__ double room[256];
    const Index c = blockIdx.x, vectors = inner / V, total = outer * vectors;
    const Index each = (total + gridDim.y - 1) / gridDim.y, from = blockIdx.y * each;
    const Index to = from + each < total ? from + each : total;
    const A shift = K == 3 ? center[c] : widen(x[c * inner]);
    Sums<K> a;
    for (Index i = from + threadIdx.x; i < to; i += blockDim.x) {
        const Index at = (i / vectors * channels + c) * inner + i % vectors * V;
        const Pack p = get(x, at);
        const Pack g = K == 3 ? get(dy, at) : p;
#pragma unroll
        for (int v = 0; v < V; ++v) take(a, widen(p.v[v]), shift, widen(g.v[v]));
    }
    block_sum<K>(a, room);
    if (threadIdx.x == 0)
        for (int k = 0; k < K; ++k) part[(k * gridDim.y + blockIdx.y) * channels + c] = a.s[k];
}

// grid (ceil(columns / 32), splits), 32 x 8 threads; columns = copies * channels, rows of so many columns
template <int K> __device__ void columns(const T* x, const T* dy, const A* center, double* part, Index rows, Index wide, Index channels) {
    __shared__ double room[8][33];
    const Index c = blockIdx.x * 32 + threadIdx.x;
    const bool here = c < wide;
    const A shift = !here ? A(0) : K == 3 ? center[c % channels] : widen(x[c % channels]);
    Sums<K> a;
    if (here)
        for (Index r = blockIdx.y * 8 + threadIdx.y; r < rows; r += 8 * gridDim.y)
            take(a, widen(x[r * wide + c]), shift, K == 3 ? widen(dy[r * wide + c]) : A(0));
    for (int k = 0; k < K; ++k) {
        room[threadIdx.y][threadIdx.x] = a.s[k];
        __syncthreads();
        if (threadIdx.y == 0 && here) {
            double sum = 0.0;
            for (int j = 0; j < 8; ++j) sum += room[j][threadIdx.x];
            part[(k * gridDim.y + blockIdx.y) * wide + c] = sum;
        }
        __syncthreads();
    }
}

extern "C" __global__ void sums_planes(const T* x, double* part, Index outer, Index channels, Index inner) {
    planes<2>(x, x, nullptr, part, outer, channels, inner);
}
extern "C" __global__ void sums_columns(const T* x, double* part, Index rows, Index wide, Index channels) {
    columns<2>(x, x, nullptr, part, rows, wide, channels);
}
extern "C" __global__ void gradient_planes(const T* x, const T* dy, const A* center, double* part, Index outer, Index channels, Index inner) {
    planes<3>(x, dy, center, part, outer, channels, inner);
}
extern "C" __global__ void gradient_columns(const T* x, const T* dy, const A* center, double* part, Index rows, Index wide, Index channels) {
    columns<3>(x, dy, center, part, rows, wide, channels);
}

__device__ double gather(const double* part, int k, Index splits, Index wide, Index channels, Index c) {
    double sum = 0.0;
    for (Index s = 0; s < splits; ++s)
        for (Index j = c; j < wide; j += channels) sum += part[(k * splits + s) * wide + j];
    return sum;
}

// line[3][channels]: center, slope, height; y = (x - center) * slope + height
extern "C" __global__ void finish(const T* x, const double* part, Index splits, Index wide, Index channels, Index inner, double count,
                                  double eps, const A* scale, const A* offset, A* line, A* mean, A* m2) {
    const Index c = blockIdx.x * Index(blockDim.x) + threadIdx.x;
    if (c >= channels) return;
    const double shift = widen(x[c * inner]);
    const double move = gather(part, 0, splits, wide, channels, c) / count;
    const double deviations = gather(part, 1, splits, wide, channels, c) - move * move * count;
    const double slope = (scale ? double(scale[c]) : 1.0) / sqrt(deviations / count + eps);
    const A center = A(shift + move);
    mean[c] = center;
    m2[c] = A(deviations);
    line[c] = center;
    line[channels + c] = A(slope);
    line[2 * channels + c] = A((offset ? double(offset[c]) : 0.0) - ((shift - double(center)) + move) * slope);
}

// line[4][channels]: center, slope, by_d, share; dx = ((dy - share) + (x - center) * by_d) * slope
extern "C" __global__ void gradient_finish(const double* part, Index splits, Index wide, Index channels, double count, double eps,
                                           const A* scale, const A* center, const A* m2, A* line, A* d_scale, A* d_offset) {
    const Index c = blockIdx.x * Index(blockDim.x) + threadIdx.x;
    if (c >= channels) return;
    const double g = gather(part, 0, splits, wide, channels, c), move = gather(part, 2, splits, wide, channels, c) / count;
    const double product = gather(part, 1, splits, wide, channels, c) - move * g;
    const double inverse = 1.0 / sqrt(double(m2[c]) / count + eps), by_d = -inverse * inverse * product / count;
    d_scale[c] = A(product * inverse);
    d_offset[c] = A(g);
    line[c] = center[c];
    line[channels + c] = A((scale ? double(scale[c]) : 1.0) * inverse);
    line[2 * channels + c] = A(by_d);
    line[3 * channels + c] = A(g / count + by_d * move);
}

// line[3][channels] for given statistics
extern "C" __global__ void given(Index channels, double eps, const A* mean, const A* var, const A* scale, const A* offset, A* line) {
    const Index c = blockIdx.x * Index(blockDim.x) + threadIdx.x;
    if (c >= channels) return;
    line[c] = mean[c];
    line[channels + c] = A((scale ? double(scale[c]) : 1.0) / sqrt(double(var[c]) + eps));
    line[2 * channels + c] = offset ? offset[c] : A(0);
}

// line[4][channels] where the statistics are constants: dx = dy * slope
extern "C" __global__ void gradient_given(const double* part, Index splits, Index wide, Index channels, double count, double eps,
                                          const A* scale, const A* center, const A* var, A* line, A* d_scale, A* d_offset) {
    const Index c = blockIdx.x * Index(blockDim.x) + threadIdx.x;
    if (c >= channels) return;
    const double inverse = 1.0 / sqrt(double(var[c]) + eps);
    d_scale[c] = A(gather(part, 1, splits, wide, channels, c) * inverse);
    d_offset[c] = A(gather(part, 0, splits, wide, channels, c));
    line[c] = center[c];
    line[channels + c] = A((scale ? double(scale[c]) : 1.0) * inverse);
    line[2 * channels + c] = A(0);
    line[3 * channels + c] = A(0);
}

// Divisions of 32 bits where they do: those of 64 take several times as long.
__device__ __forceinline__ Index channel_of(Index at, Index channels, Index inner) {
    if (at < Index(1) << 31) {
        const unsigned a = unsigned(at), n = unsigned(channels);
        return inner > 1 ? a / unsigned(inner) % n : a % n;
    }
    return inner > 1 ? at / inner % channels : at % channels;
}

extern "C" __global__ void apply(const T* x, T* y, const A* line, Index total, Index channels, Index inner) {
    const Index step = Index(gridDim.x) * blockDim.x * V;
    for (Index at = (Index(blockIdx.x) * blockDim.x + threadIdx.x) * V; at < total; at += step) {
        Pack p = get(x, at);
        const Index first = channel_of(at, channels, inner), along = inner > 1 ? 0 : 1;
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const Index c = first + v * along;
            p.v[v] = narrow((widen(p.v[v]) - line[c]) * line[channels + c] + line[2 * channels + c]);
        }
        put(y, at, p);
    }
}

extern "C" __global__ void gradient_apply(const T* x, const T* dy, T* dx, const A* line, Index total, Index channels, Index inner) {
    const Index step = Index(gridDim.x) * blockDim.x * V;
    for (Index at = (Index(blockIdx.x) * blockDim.x + threadIdx.x) * V; at < total; at += step) {
        const Pack p = get(x, at);
        Pack g = get(dy, at);
        const Index first = channel_of(at, channels, inner), along = inner > 1 ? 0 : 1;
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const Index c = first + v * along;
            const A d = widen(p.v[v]) - line[c];
            g.v[v] = narrow((widen(g.v[v]) - line[3 * channels + c] + d * line[2 * channels + c]) * line[channels + c]);
        }
        put(dx, at, g);
    }
}
