// Enough of CUDA to compile the loops for the processor: a block's threads are fibers that take turns at __syncthreads, blocks come one by one.
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static
#define __align__(bytes) alignas(bytes)

struct Three { unsigned x, y, z; };
static Three threadIdx, blockIdx, blockDim, gridDim;
static ucontext_t scheduler;
static std::vector<ucontext_t> fibers;
static std::vector<bool> ended;
static size_t current;

static void __syncthreads() { swapcontext(&fibers[current], &scheduler); }

struct __half {
    uint16_t bits;
    __half() = default;
    __half(float x) : bits(_cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT)) {}
    operator float() const { return _cvtsh_ss(bits); }
};
struct __nv_bfloat16 {
    uint16_t bits;
    __nv_bfloat16() = default;
    __nv_bfloat16(float x) {
        uint32_t all;
        memcpy(&all, &x, 4);
        bits = x != x ? 0x7FC0 : (all + 0x7FFF + (all >> 16 & 1)) >> 16;
    }
    operator float() const {
        const uint32_t all = uint32_t(bits) << 16;
        float x;
        memcpy(&x, &all, 4);
        return x;
    }
};

static void (*entry)(void*);
static void* argument;
static void fiber() {
    entry(argument);
    ended[current] = true;
}

// Runs every block: all its threads up to the next __syncthreads, in turn, until all have ended.
static void launch(const unsigned* grid, const unsigned* block, void (*run)(void*), void* with) {
    gridDim = {grid[0], grid[1], 1};
    blockDim = {block[0], block[1], 1};
    entry = run;
    argument = with;
    const size_t threads = block[0] * block[1], room = 1 << 14;
    std::vector<char> stacks(threads * room);
    fibers.resize(threads);
    for (unsigned by = 0; by < grid[1]; ++by)
        for (unsigned bx = 0; bx < grid[0]; ++bx) {
            ended.assign(threads, false);
            for (size_t i = 0; i < threads; ++i) {
                getcontext(&fibers[i]);
                fibers[i].uc_stack.ss_sp = &stacks[i * room];
                fibers[i].uc_stack.ss_size = room;
                fibers[i].uc_link = &scheduler;
                makecontext(&fibers[i], fiber, 0);
            }
            for (size_t left = threads; left > 0;)
                for (current = 0; current < threads; ++current) {
                    if (ended[current]) continue;
                    blockIdx = {bx, by, 0};
                    threadIdx = {unsigned(current % block[0]), unsigned(current / block[0]), 0};
                    swapcontext(&scheduler, &fibers[current]);
                    left -= ended[current];
                }
        }
}

// A loop called with its arguments from slots of 8 bytes, as numbers or addresses.
template <class T> static T slot(const uint64_t* at) {
    T value;
    memcpy(&value, at, sizeof(T));
    return value;
}
template <class... P> struct Call {
    void (*loop)(P...);
    const uint64_t* slots;
    template <size_t... I> void go(std::index_sequence<I...>) { loop(slot<P>(slots + I)...); }
    static void run(void* self) { static_cast<Call*>(self)->go(std::index_sequence_for<P...>()); }
};
template <class... P> static void start(void (*loop)(P...), const unsigned* grid, const unsigned* block, const uint64_t* slots) {
    Call<P...> call{loop, slots};
    launch(grid, block, &Call<P...>::run, &call);
}
#define HOST(name)                                                                                       \
    extern "C" void host_##name(const unsigned* grid, const unsigned* block, const uint64_t* slots) { \
        start(name, grid, block, slots);                                                                \
    }
