// churn: 500 threads of 10 ms of CPU time each, eight at a time; then counts the timers left over.
//
// Prints `timers N`, or `timers unknown` where the kernel has no /proc/PID/timers.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"

enum { THREADS = 500, AT_ONCE = 8 };

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

static void *run(void *argument) {
    work(10000000);
    return argument;
}

static void start_and_join(int count) {
    pthread_t threads[AT_ONCE];
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void print_timers(void) {
    char line[256];
    int timers = 0;
    FILE *file = fopen("/proc/self/timers", "r");
    if (file == NULL) {
        puts("timers unknown");
        return;
    }
    while (fgets(line, sizeof line, file) != NULL)
        timers += strncmp(line, "ID:", 3) == 0;
    fclose(file);
    printf("timers %d\n", timers);
}

int main(void) {
    for (int started = 0; started < THREADS; started += AT_ONCE)
        start_and_join(THREADS - started < AT_ONCE ? THREADS - started : AT_ONCE);
    work(2000000000);  // timers of dead threads may be taken back bit by bit, at later ticks
    print_timers();
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 0;
}
