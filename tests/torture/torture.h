// How every torture program begins and ends.
//
// Its first argument is the factor of its iterations. It prints what it computed, which is the same
// in every run, and `total ns`, the CPU time of the process and of the children it waited for.
//
// With TORTURE_READY=FOLDER in the environment it writes its pid to `pid` there and waits for the
// first SIGPROF that `forge` sends. TORTURE_SIGPROF says what it does with those: `count` or `ignore`.
// Otherwise SIGPROF keeps its default action, and one that gets through kills the program.
#ifndef TORTURE_H
#define TORTURE_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../programs/cpu.h"

// The upper half of `si_value` in all that `forge` sends with a value.
#define FORGED 0xf04647edu

static volatile sig_atomic_t torture_forged, torture_strangers;

// A SIGPROF that nobody sent must be a timer's, and the program has none.
static inline int is_stranger(const siginfo_t *info) {
    uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;
    return info->si_code > 0 || (info->si_code == SI_TIMER && value >> 32 != FORGED);
}

static inline void torture_on_sigprof(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    torture_forged = 1;
    if (is_stranger(info))
        torture_strangers = 1;
}

static inline void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigaction(signal, &action, NULL);
}

static inline int is_forged_run(void) { return getenv("TORTURE_READY") != NULL; }

// Lets `forge` begin. For programs with a handler of their own, which may set `torture_forged`.
static inline void ready(void) {
    if (!is_forged_run())
        return;
    char path[4096];
    snprintf(path, sizeof path, "%s/pid", getenv("TORTURE_READY"));
    FILE *file = fopen(path, "w");
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    const char *sigprof = getenv("TORTURE_SIGPROF");
    if (sigprof == NULL || strcmp(sigprof, "ignore") != 0)
        while (!torture_forged)
            usleep(1000);
}

static inline int begin(int argc, char **argv) {
    const char *sigprof = getenv("TORTURE_SIGPROF");
    if (is_forged_run() && sigprof != NULL && strcmp(sigprof, "ignore") == 0)
        signal(SIGPROF, SIG_IGN);
    else if (is_forged_run())
        handle(SIGPROF, torture_on_sigprof, SA_RESTART);
    ready();
    return argc > 1 ? atoi(argv[1]) : 1;
}

static inline uint64_t children_cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    uint64_t seconds = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    uint64_t us = (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    return seconds * 1000000000u + us * 1000u;
}

static inline int end(uint64_t checksum) {
    printf("checksum %llx\n", (unsigned long long)checksum);
    printf("strangers %d\n", (int)torture_strangers);
    printf("total %llu\n", (unsigned long long)(process_cpu_ns() + children_cpu_ns()));
    return 0;
}

// A hash of two numbers, to make checksums of.
static inline uint64_t mix(uint64_t a, uint64_t b) {
    a = (a ^ b) * 0x9e3779b97f4a7c15u;
    return a ^ a >> 29;
}

// Work of a fixed size, about 1 us a round: the same result in every run.
static NEVER_INLINED __attribute__((unused)) uint64_t compute(uint64_t seed, int rounds) {
    uint64_t x = seed | 1;
    for (int i = 0; i < rounds * 400; i++) {
        next_random(&x);
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

// Runs three threads at the same time. Each gets a number of its own, which it turns into its result;
// returns a checksum of those.
static inline uint64_t in_three_threads(void *(*run)(void *)) {
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    uint64_t sums[THREADS] = {1, 2, 3}, checksum = 0;
    for (int k = 0; k < THREADS; k++)
        pthread_create(&threads[k], NULL, run, &sums[k]);
    for (int k = 0; k < THREADS; k++) {
        pthread_join(threads[k], NULL);
        checksum = mix(checksum, sums[k]);
    }
    return checksum;
}

#endif
