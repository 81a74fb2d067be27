// mask SECONDS: half of the CPU time goes by with SIGPROF blocked, in turns of 0.25 s.
//
// Prints `burn_blocked ns`, `burn_open ns` and `total ns`.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

NEVER_INLINED uint64_t burn_blocked(uint64_t ns) { BURN(ns, 11); }
NEVER_INLINED uint64_t burn_open(uint64_t ns) { BURN(ns, 13); }

int main(int argc, char **argv) {
    uint64_t budget = (uint64_t)(atof(argc > 1 ? argv[1] : "1") * 1e9);
    uint64_t blocked = 0, open = 0;
    sigset_t sigprof;
    sigemptyset(&sigprof);
    sigaddset(&sigprof, SIGPROF);
    while (process_cpu_ns() < budget) {
        pthread_sigmask(SIG_BLOCK, &sigprof, NULL);
        blocked += burn_blocked(250000000);
        pthread_sigmask(SIG_UNBLOCK, &sigprof, NULL);
        open += burn_open(250000000);
    }
    printf("burn_blocked %llu\n", (unsigned long long)blocked);
    printf("burn_open %llu\n", (unsigned long long)open);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 0;
}
