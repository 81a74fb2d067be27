// thread_storm FACTOR: threads end in every way: by return, by pthread_exit from a deep stack, and
// cancelled, deferred while they wait or compute, and asynchronously in the middle of a loop.
#include <pthread.h>

#include "torture.h"

enum { ROUNDS = 300 };

static uint64_t cleanups;
static int pipe_ends[2];

static void clean(void *argument) {
    __atomic_add_fetch(&cleanups, *(uint64_t *)argument, __ATOMIC_RELAXED);
}

static void *returns(void *argument) {
    compute(*(uint64_t *)argument, 300);
    return argument;
}

static NEVER_INLINED void exit_below(void *result, int depth) {
    if (depth == 0)
        pthread_exit(result);
    exit_below(result, depth - 1);
    __asm__ volatile("" ::: "memory");
}

static void *exits(void *argument) {
    pthread_cleanup_push(clean, argument);
    compute(*(uint64_t *)argument, 300);
    exit_below(argument, 30);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *reads(void *argument) {
    char byte;
    pthread_cleanup_push(clean, argument);
    while (read(pipe_ends[0], &byte, 1) != 1) {
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void *tests(void *argument) {
    pthread_cleanup_push(clean, argument);
    for (;;) {
        compute(*(uint64_t *)argument, 20);
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void *spins(void *argument) {
    pthread_cleanup_push(clean, argument);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (volatile uint64_t i = 0;; i++) {
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static void *(*const functions[])(void *) = {returns, exits, reads, tests, spins};
enum { WAYS = sizeof functions / sizeof functions[0], NOT_CANCELLED = 2 };

int main(int argc, char **argv) {
    int rounds = ROUNDS * begin(argc, argv);
    uint64_t checksum = 0, numbers[WAYS] = {1, 20, 300, 4000, 50000};
    if (pipe(pipe_ends) != 0)
        return 1;
    for (int i = 0; i < rounds; i++) {
        pthread_t threads[WAYS];
        for (int k = 0; k < WAYS; k++)
            pthread_create(&threads[k], NULL, functions[k], &numbers[k]);
        compute((uint64_t)i, i % 500);
        for (int k = NOT_CANCELLED; k < WAYS; k++)
            pthread_cancel(threads[k]);
        for (int k = 0; k < WAYS; k++) {
            void *result;
            pthread_join(threads[k], &result);
            checksum = mix(checksum, result == PTHREAD_CANCELED ? 7 : *(uint64_t *)result);
        }
    }
    // A thread that is cancelled before it begins has no clean-up handler yet.
    printf("cleaned %d\n", cleanups >= (uint64_t)rounds * numbers[1]);
    return end(checksum);
}
