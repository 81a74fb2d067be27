// masked FACTOR: threads that block all signals, for good or by turns, and two that play ping-pong by
// sigwait with a signal each.
#include <pthread.h>

#include "torture.h"

enum { TURNS = 3000, ROUNDS = 60 };

static int factor;
static pthread_t players[2];
static pthread_barrier_t barrier;

static void *always_blocked(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < ROUNDS * factor; i++)
        *sum = mix(*sum, compute(*sum, 1000));
    return NULL;
}

static void *blocked_by_turns(void *argument) {
    uint64_t *sum = argument;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    for (int i = 0; i < ROUNDS * factor; i++) {
        pthread_sigmask(SIG_SETMASK, i % 2 == 0 ? &none : &all, NULL);
        *sum = mix(*sum, compute(*sum, 1000));
    }
    return NULL;
}

static void *play(void *argument) {
    uint64_t *sum = argument;
    int me = (int)*sum, mine = me == 0 ? SIGUSR1 : SIGUSR2, its = me == 0 ? SIGUSR2 : SIGUSR1;
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, mine);
    pthread_barrier_wait(&barrier);
    if (me == 0)
        pthread_kill(players[1], its);
    for (int i = 0; i < TURNS * factor; i++) {
        int signal = 0;
        sigwait(&wanted, &signal);
        *sum = mix(*sum, compute((uint64_t)signal, 3));
        if (me == 1 || i + 1 < TURNS * factor)
            pthread_kill(players[1 - me], its);
    }
    return NULL;
}

int main(int argc, char **argv) {
    factor = begin(argc, argv);
    void *(*functions[])(void *) = {play, play, always_blocked, blocked_by_turns};
    pthread_t others[2];
    uint64_t sums[4] = {0, 1, 2, 3}, checksum = 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_barrier_init(&barrier, NULL, 3);
    for (int k = 0; k < 4; k++)
        pthread_create(k < 2 ? &players[k] : &others[k - 2], NULL, functions[k], &sums[k]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_barrier_wait(&barrier);
    for (int k = 0; k < 4; k++) {
        pthread_join(k < 2 ? players[k] : others[k - 2], NULL);
        checksum = mix(checksum, sums[k]);
    }
    return end(checksum);
}
