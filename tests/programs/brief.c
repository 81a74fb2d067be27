// brief COUNT: COUNT threads, four at a time, that live for about 1 ms of CPU time each.
//
// Every second one burns in `left`, for 0.3 to 0.9 ms; the others burn in `right`, for 0.7 to 2.1 ms:
// 30 and 70 of a hundred. With equal lives the threads would march in step with the kernel's tick. Prints `left ns` and `right ns`, as measured in each thread, and `total ns`.
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

enum { AT_ONCE = 4 };

static _Atomic uint64_t left_ns, right_ns;

NEVER_INLINED uint64_t left(uint64_t ns) { BURN(ns, 11); }
NEVER_INLINED uint64_t right(uint64_t ns) { BURN(ns, 13); }

static void *run(void *number) {
    uint64_t random = (uint64_t)(intptr_t)number * 0x9e3779b97f4a7c15u + 1;
    double part = 0.5 + (double)(next_random(&random) >> 11) / (double)(1ull << 53);
    if ((intptr_t)number % 2 == 0)
        left_ns += left((uint64_t)(600000 * part));
    else
        right_ns += right((uint64_t)(1400000 * part));
    return NULL;
}

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 1000;
    pthread_t threads[AT_ONCE];
    for (long i = 0; i < count + AT_ONCE; i++) {
        if (i >= AT_ONCE)
            pthread_join(threads[i % AT_ONCE], NULL);
        if (i < count && pthread_create(&threads[i % AT_ONCE], NULL, run, (void *)i) != 0)
            return 1;
    }
    printf("left %llu\n", (unsigned long long)left_ns);
    printf("right %llu\n", (unsigned long long)right_ns);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 0;
}
