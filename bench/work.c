// work THREADS UNITS [LEVELS]: a fixed amount of work, whatever it costs.
//
// Each thread walks LEVELS (or 30) levels down a chain of functions, allocating and freeing blocks of mixed
// sizes on the way, and mixes numbers at the bottom; as often as UNITS says. At the end it prints
// the CPU time of the process, user and system, in microseconds. Built without frame pointers.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static long units;
static int levels;

__attribute__((noinline, noclone)) static uint64_t mix(uint64_t x) {
    for (int i = 0; i < 2000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        x ^= x >> 29;
    }
    return x;
}

__attribute__((noinline, noclone)) static uint64_t descend(int level, uint64_t x) {
    if (level == 0)
        return mix(x);
    size_t size = 16 + x % 512;
    char *block = malloc(size);
    memset(block, (int)x, size);
    uint64_t below = descend(level - 1, x * 31 + (uint64_t)level);
    below += (unsigned char)block[size / 2];
    free(block);
    return below;
}

static void *work(void *argument) {
    uint64_t x = (uintptr_t)argument;
    for (long i = 0; i < units; i++)
        x = descend(levels, x);
    return (void *)(uintptr_t)x;
}

static long microseconds(struct timeval time) { return time.tv_sec * 1000000 + time.tv_usec; }

int main(int argc, char **argv) {
    long threads = argc > 1 ? atol(argv[1]) : 1;
    units = argc > 2 ? atol(argv[2]) : 1000;
    levels = argc > 3 ? atoi(argv[3]) : 30;
    pthread_t *started = calloc((size_t)threads, sizeof *started);
    for (long i = 0; i < threads; i++)
        pthread_create(&started[i], NULL, work, (void *)(i + 1));
    for (long i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    free(started);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%ld\n", microseconds(used.ru_utime) + microseconds(used.ru_stime));
    return 0;
}
