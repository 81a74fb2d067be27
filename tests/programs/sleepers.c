// sleepers: for one second, one thread sleeps in `doze` and one computes in `toil`.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "cpu.h"

static uint64_t end;

NEVER_INLINED static void *doze(void *argument) {
    while (clock_ns(CLOCK_MONOTONIC) < end)
        usleep(200000);
    return argument;
}

NEVER_INLINED static void *toil(void *argument) {
    uint64_t x = 1;
    while (clock_ns(CLOCK_MONOTONIC) < end)
        for (int i = 0; i < 10000; i++) {
            x = x * 5 + 3;
            __asm__ volatile("" : "+r"(x));
        }
    return argument;
}

int main(void) {
    pthread_t threads[2];
    end = clock_ns(CLOCK_MONOTONIC) + 1000000000u;
    pthread_create(&threads[0], NULL, doze, NULL);
    pthread_create(&threads[1], NULL, toil, NULL);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    puts("rested");
    return 0;
}
