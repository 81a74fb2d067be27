// throw_storm FACTOR: exceptions through deep stacks, destructors, callbacks of C and threads.
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "torture.h"

namespace {

constexpr int threads = 3, throws_per_thread = 2400;
thread_local uint64_t destroyed;
thread_local int depth_below_qsort, value_below_qsort;

struct Guard {
    uint64_t number;
    ~Guard() { destroyed = mix(destroyed, number); }
};

NEVER_INLINED void descend(int depth, int value);

NEVER_INLINED int compare(const void *, const void *) {
    descend(depth_below_qsort, value_below_qsort);
    return 0;
}

NEVER_INLINED void descend_in_qsort(int depth, int value) {
    int pair[2] = {1, 2};
    depth_below_qsort = depth;
    value_below_qsort = value;
    qsort(pair, 2, sizeof pair[0], compare);
    __asm__ volatile("" ::"r"(pair) : "memory");
}

NEVER_INLINED void descend(int depth, int value) {
    Guard guard{static_cast<uint64_t>(depth)};
    if (depth == 0 && value % 2 == 0)
        throw std::runtime_error(std::to_string(compute(static_cast<uint64_t>(value), 5)));
    if (depth == 0)
        throw value;
    if (depth % 9 == 4)
        descend_in_qsort(depth - 1, value);
    else if (depth % 9 == 7) {
        try {
            descend(depth - 1, value);
        } catch (int) {
            throw;
        }
    } else
        descend(depth - 1, value);
    __asm__ volatile("" ::: "memory");
}

uint64_t caught(int i) {
    try {
        descend(i % 40, i);
    } catch (const std::runtime_error &error) {
        return std::stoull(error.what());
    } catch (...) {
        try {
            std::rethrow_exception(std::current_exception());
        } catch (int value) {
            return static_cast<uint64_t>(value);
        }
    }
    return 0;
}

void run(uint64_t *sum, int count) {
    for (int i = 0; i < count; i++)
        *sum = mix(*sum, caught(i));
    *sum = mix(*sum, destroyed);
}

}  // namespace

int main(int argc, char **argv) {
    int count = throws_per_thread * begin(argc, argv);
    std::vector<std::thread> running;
    uint64_t sums[threads] = {1, 2, 3}, checksum = 0;
    for (uint64_t &sum : sums)
        running.emplace_back(run, &sum, count);
    for (std::thread &one : running)
        one.join();
    for (uint64_t sum : sums)
        checksum = mix(checksum, sum);
    return end(checksum);
}
