// in_step SECONDS: burns CPU time in step with the kernel's tick, `after_tick` right behind each
// tick, `around_tick` from later on until the next one has come, then sleeps.
//
// A clock that looks at the tick alone finds the second function only. Prints the CPU time of both.
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

enum { MS = 1000000 };

static uint64_t coarse(void) { return clock_ns(CLOCK_MONOTONIC_COARSE); }

static void sleep_until(uint64_t ns) {
    struct timespec time = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

#define BURN_UNTIL(condition, salt)                       \
    uint64_t start = thread_cpu_ns(), x = (salt);         \
    while (!(condition))                                  \
        for (int i = 0; i < 2000; i++) {                  \
            x = x * 5 + (salt);                           \
            __asm__ volatile("" : "+r"(x));               \
        }                                                 \
    return thread_cpu_ns() - start

NEVER_INLINED static uint64_t after_tick(uint64_t until) {
    BURN_UNTIL(clock_ns(CLOCK_MONOTONIC) >= until, 7);
}

NEVER_INLINED static uint64_t around_tick(uint64_t tick) { BURN_UNTIL(coarse() > tick, 9); }

int main(int argc, char **argv) {
    uint64_t budget = (uint64_t)(atof(argc > 1 ? argv[1] : "1") * 1e9);
    uint64_t after = 0, around = 0;
    while (after + around < budget) {
        uint64_t tick = coarse();
        sleep_until(tick + MS / 2);
        tick = coarse();
        after += after_tick(tick + 3 * MS);
        around += around_tick(tick);
    }
    printf("after_tick %llu\n", (unsigned long long)after);
    printf("around_tick %llu\n", (unsigned long long)around);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 0;
}
