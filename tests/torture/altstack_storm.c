// altstack_storm FACTOR: threads put up alternate stacks of all sizes, down to the very smallest,
// use them, change them, take them down and give their memory back, without a pause.
//
// Below each lies a page without access: whoever needs more than there is gets no further.
#include <pthread.h>

#include "stacks.h"
#include "torture.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

enum { THREADS = 4, CHANGES = 500 };

static int changes;
static __thread char *low, *high;
static __thread uint64_t handled;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    char here;
    int inside = low <= &here && &here < high;
    handled = mix(handled, (uint64_t)(signal * 2 + inside));
}

static void change(size_t size, int flags) {
    size_t room = whole_pages(size);
    char *memory = map_guarded(room);
    stack_t stack = {memory, flags, size}, none = {NULL, SS_DISABLE, 0};
    low = memory;
    high = memory + size;
    if (sigaltstack(&stack, NULL) != 0)
        perror("sigaltstack");
    handled = mix(handled, compute(handled, 60));
    pthread_kill(pthread_self(), SIGUSR1);
    handled = mix(handled, compute(handled, 60));
    sigaltstack(&none, NULL);
    unmap_guarded(memory, room);
}

static void *run(void *argument) {
    size_t least = smallest_sigaltstack();
    size_t sizes[] = {least, least + 16, least + 700, 8192, 65536};
    for (int i = 0; i < changes; i++)
        change(sizes[i % 5], i % 7 == 0 ? (int)SS_AUTODISARM : 0);
    *(uint64_t *)argument = handled;
    return NULL;
}

int main(int argc, char **argv) {
    changes = CHANGES * begin(argc, argv);
    // Whoever stands on the smallest stack can take no second signal: all are blocked.
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    pthread_t threads[THREADS];
    uint64_t sums[THREADS], checksum = 0;
    for (int k = 0; k < THREADS; k++)
        pthread_create(&threads[k], NULL, run, &sums[k]);
    for (int k = 0; k < THREADS; k++) {
        pthread_join(threads[k], NULL);
        checksum = mix(checksum, sums[k]);
    }
    return end(checksum);
}
