// A library to load and unload: SALT makes each build another one, with its code elsewhere.
#include "../programs/cpu.h"

static uint64_t table[SALT * 1000] = {SALT};

uint64_t plugin(uint64_t seed, uint64_t (*callback)(uint64_t), int depth);

NEVER_INLINED static uint64_t churn(uint64_t x) {
    for (int i = 0; i < 4000 * SALT; i++) {
        next_random(&x);
        __asm__ volatile("" : "+r"(x));
    }
    table[x % (SALT * 1000)] = x;
    return x;
}

uint64_t plugin(uint64_t seed, uint64_t (*callback)(uint64_t), int depth) {
    volatile char frame[64 * SALT];
    frame[0] = (char)depth;
    uint64_t below = depth > 0 ? plugin(seed + 1, callback, depth - 1) : callback(churn(seed | 1));
    return below + (uint64_t)frame[0];
}
