// wait_for_all FACTOR: blocks all signals in all threads and takes them by sigwaitinfo, whichever
// come. Counts those that it was sent, by a thread that computes meanwhile, and strangers: signals
// that nobody sent.
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>

#include "torture.h"

enum { SIGNALS = 300 };

static sem_t taken;
static int signals;

static void *send(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < signals; i++) {
        *sum = mix(*sum, compute(*sum, 600));
        kill(getpid(), SIGUSR1);
        while (sem_wait(&taken) != 0) {
        }
    }
    return NULL;
}

int main(int argc, char **argv) {
    signals = SIGNALS * begin(argc, argv);
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    sem_init(&taken, 0, 0);
    pthread_t sender;
    uint64_t sum = 1;
    pthread_create(&sender, NULL, send, &sum);
    for (int got = 0; got < signals;) {
        siginfo_t info;
        int signal = sigwaitinfo(&all, &info);
        if (signal == SIGUSR1) {
            got++;
            sem_post(&taken);
        } else if (signal != SIGPROF || is_stranger(&info)) {
            torture_strangers = 1;
        }
    }
    pthread_join(sender, NULL);
    return end(sum);
}
