// min_threads FACTOR: threads with the smallest stack that there is, eight at a time, each with a
// signal handler of its own on that stack.
#include <limits.h>
#include <pthread.h>

#include "torture.h"

enum { AT_ONCE = 8, ROUNDS = 60 };

static __thread uint64_t handled;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    handled = compute((uint64_t)signal, 100);
}

static void *run(void *argument) {
    uint64_t *sum = argument;
    *sum = mix(*sum, compute(*sum, 500));
    pthread_kill(pthread_self(), SIGUSR1);
    *sum = mix(*sum, handled);
    return NULL;
}

int main(int argc, char **argv) {
    int rounds = ROUNDS * begin(argc, argv);
    uint64_t sums[AT_ONCE] = {0}, checksum = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN));
    handle(SIGUSR1, on_signal, 0);
    for (int i = 0; i < rounds; i++) {
        pthread_t threads[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++)
            pthread_create(&threads[k], &attributes, run, &sums[k]);
        for (int k = 0; k < AT_ONCE; k++)
            pthread_join(threads[k], NULL);
    }
    for (int k = 0; k < AT_ONCE; k++)
        checksum = mix(checksum, sums[k]);
    return end(checksum);
}
