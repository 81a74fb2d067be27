// asleep FACTOR: sleeps in poll while a thread that blocks all signals computes, and says whether
// anybody woke it.
#include <errno.h>
#include <poll.h>
#include <pthread.h>

#include "torture.h"

enum { ROUNDS = 300000 };

static int pipe_ends[2];
static int factor;

static NEVER_INLINED uint64_t work_blocked(uint64_t seed) { return compute(seed, ROUNDS * factor); }

static void *run(void *argument) {
    *(uint64_t *)argument = work_blocked(*(uint64_t *)argument);
    if (write(pipe_ends[1], "x", 1) != 1)
        exit(1);
    return NULL;
}

int main(int argc, char **argv) {
    factor = begin(argc, argv);
    if (pipe(pipe_ends) != 0)
        return 1;
    uint64_t sum = 1;
    pthread_t worker;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&worker, NULL, run, &sum);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    struct pollfd wanted = {pipe_ends[0], POLLIN, 0};
    int woken = 0;
    while (poll(&wanted, 1, -1) != 1)
        woken = 1;
    pthread_join(worker, NULL);
    printf("woken %d\n", woken);
    return end(sum);
}
