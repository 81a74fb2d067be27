// neighbour: disturbs whatever else runs, until it is killed or has done so for an hour.
//
// On each processor, bursts of computing and of memory traffic, of random length, with pauses.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"

enum { THREADS = 16, BYTES = 32 << 20, HOUR_S = 3600 };

static void compute(uint64_t ns) {
    uint64_t start = thread_cpu_ns(), x = 1;
    while (thread_cpu_ns() - start < ns)
        for (int i = 0; i < 100000; i++) {
            x = x * 5 + 3;
            __asm__ volatile("" : "+r"(x));
        }
}

static void copy(char *memory, uint64_t ns) {
    for (uint64_t start = thread_cpu_ns(); thread_cpu_ns() - start < ns;) {
        memcpy(memory, memory + BYTES / 2, BYTES / 2);
        __asm__ volatile("" ::: "memory");
    }
}

static void *disturb(void *number) {
    uint64_t random = 88172645463325252u + (uint64_t)(uintptr_t)number;
    char *memory = calloc(1, BYTES);
    for (;;) {
        uint64_t ns = 20000000 + next_random(&random) % 400000000;
        if (next_random(&random) % 2 == 0 || memory == NULL)
            compute(ns);
        else
            copy(memory, ns);
        usleep((unsigned)(next_random(&random) % 400000));
    }
    return NULL;
}

int main(void) {
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < processors && i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, disturb, (void *)(uintptr_t)(i + 1)) != 0)
            return 1;
    }
    sleep(HOUR_S);
    return 0;
}
