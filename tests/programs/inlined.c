// inlined SECONDS: all CPU time is in `innermost`, inlined into `middle`, inlined into `outer`.
//
// Built with debug information: only that can tell the three apart.
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

static inline __attribute__((always_inline)) uint64_t innermost(uint64_t x) {
    for (int i = 0; i < 20000; i++) {
        x = x * 5 + 11;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

static inline __attribute__((always_inline)) uint64_t middle(uint64_t x) {
    return innermost(x + 1) ^ 3;
}

NEVER_INLINED uint64_t outer(uint64_t x) { return middle(x + 2) ^ 5; }

int main(int argc, char **argv) {
    uint64_t budget = (uint64_t)(atof(argc > 1 ? argv[1] : "1") * 1e9);
    uint64_t x = 1;
    while (process_cpu_ns() < budget)
        for (int i = 0; i < 100; i++)
            x = outer(x);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return x == 0;
}
