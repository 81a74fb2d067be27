// escape FACTOR: a program with a SIGPROF handler of its own that never returns: it jumps out of
// each signal, whoever sent it, if the thread is prepared for that.
#include <pthread.h>
#include <setjmp.h>

#include "torture.h"

enum { ESCAPES = 9000 };

static int escapes;
static __thread sigjmp_buf way_out;
static __thread volatile sig_atomic_t prepared;

static void on_sigprof(int signal, siginfo_t *info, void *context) {
    torture_on_sigprof(signal, info, context);
    if (!prepared)
        return;
    prepared = 0;
    siglongjmp(way_out, 1);
}

static NEVER_INLINED int escape(void) {
    if (sigsetjmp(way_out, 1) != 0)
        return 1;
    prepared = 1;
    pthread_kill(pthread_self(), SIGPROF);
    return 0;
}

static void *run(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < escapes; i++) {
        *sum = mix(*sum, (uint64_t)escape());
        *sum = mix(*sum, compute(*sum, 10));
    }
    return NULL;
}

int main(int argc, char **argv) {
    handle(SIGPROF, on_sigprof, SA_RESTART);
    ready();
    escapes = ESCAPES * (argc > 1 ? atoi(argv[1]) : 1);
    return end(in_three_threads(run));
}
