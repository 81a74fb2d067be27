// CPU time, and work that burns it: shared by the test programs in C and C++.
#ifndef CPU_H
#define CPU_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t thread_cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

static inline uint64_t process_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

// A pseudo-random number from a state that is never zero (xorshift64).
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// The body of a function that burns `ns` of its thread's CPU time and returns what it took.
//
// A macro, so that the work is in the function that uses it and not in one of its own. `salt` makes
// the code of two such functions different: the compiler merges equal functions. The clock is a
// system call, so it is read once in about 100 us.
#define BURN(ns, salt)                                    \
    uint64_t burn_start = thread_cpu_ns(), burn_now;      \
    uint64_t burn_x = (salt);                             \
    do {                                                  \
        for (int burn_i = 0; burn_i < 100000; burn_i++) { \
            burn_x = burn_x * 5 + (salt);                 \
            __asm__ volatile("" : "+r"(burn_x));          \
        }                                                 \
        burn_now = thread_cpu_ns();                       \
    } while (burn_now - burn_start < (ns));               \
    return burn_now - burn_start

// Rounds of work that will take `ns`, if `done` of them took `used` ns.
static inline uint64_t rounds_for(uint64_t ns, uint64_t done, uint64_t used) {
    return used == 0 ? 100000 : (uint64_t)((double)done * (double)ns / (double)used) + 1000;
}

// The same, but reads the clock as seldom as can be: reading it makes the kernel look whether the
// thread's turn is over. On a busy processor the turns of one who reads it often may all end before
// the tick, and no timer of its CPU time ever expires.
#define BURN_AT_LENGTH(ns, salt)                                                          \
    uint64_t burn_start = thread_cpu_ns(), burn_used = 0, burn_done = 0, burn_x = (salt); \
    do {                                                                                  \
        uint64_t burn_more = rounds_for((ns) - burn_used, burn_done, burn_used);          \
        for (uint64_t burn_i = 0; burn_i < burn_more; burn_i++) {                         \
            burn_x = burn_x * 5 + (salt);                                                 \
            __asm__ volatile("" : "+r"(burn_x));                                          \
        }                                                                                 \
        burn_done += burn_more;                                                           \
        burn_used = thread_cpu_ns() - burn_start;                                         \
    } while (burn_used < (ns));                                                           \
    return burn_used

#define NEVER_INLINED __attribute__((noinline, noclone))

#endif
