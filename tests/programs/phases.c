// phases: four functions of 0.4 s of CPU time each, one after the other. Before each it prints its
// name, and between them it sends itself the signal that is named on the command line, if any.
//
// Prints the CPU time of each and of all.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpu.h"

enum { PHASE = 400000000 };

NEVER_INLINED uint64_t first(uint64_t ns) { BURN(ns, 3); }
NEVER_INLINED uint64_t second(uint64_t ns) { BURN(ns, 5); }
NEVER_INLINED uint64_t third(uint64_t ns) { BURN(ns, 7); }
NEVER_INLINED uint64_t fourth(uint64_t ns) { BURN(ns, 9); }

static void turn(int signal) {
    if (signal != 0)
        kill(getpid(), signal);
}

int main(int argc, char **argv) {
    int signal = argc > 1 ? atoi(argv[1]) : 0;
    uint64_t used[4];
    used[0] = first(PHASE);
    turn(signal);
    used[1] = second(PHASE);
    turn(signal);
    used[2] = third(PHASE);
    turn(signal);
    used[3] = fourth(PHASE);
    for (int i = 0; i < 4; i++)
        printf("phase%d %llu\n", i, (unsigned long long)used[i]);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 5;
}
