// pending FACTOR: blocks SIGPROF, computes, sends it to itself, lets it through, and counts how often
// its handler ran.
#include "torture.h"

enum { SIGNALS = 10 };

static volatile sig_atomic_t handled;

static void on_sigprof(int signal, siginfo_t *info, void *context) {
    torture_on_sigprof(signal, info, context);
    handled++;
}

int main(int argc, char **argv) {
    handle(SIGPROF, on_sigprof, SA_RESTART);
    ready();
    int signals = SIGNALS * (argc > 1 ? atoi(argv[1]) : 1);
    uint64_t sum = 1;
    sigset_t sigprof;
    sigemptyset(&sigprof);
    sigaddset(&sigprof, SIGPROF);
    for (int i = 0; i < signals; i++) {
        sigprocmask(SIG_BLOCK, &sigprof, NULL);
        sum = mix(sum, compute(sum, 30000));
        raise(SIGPROF);
        sigprocmask(SIG_UNBLOCK, &sigprof, NULL);
    }
    printf("handled %d\n", (int)handled);
    return end(sum);
}
