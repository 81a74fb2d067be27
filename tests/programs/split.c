// split SECONDS: burns that much CPU time in six functions, in known shares.
//
// At the end it prints `name ns` for each function, as measured, and `total ns` for the process.
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

NEVER_INLINED uint64_t burn_48_percent(uint64_t ns) { BURN(ns, 11); }
NEVER_INLINED uint64_t burn_25_percent(uint64_t ns) { BURN(ns, 13); }
NEVER_INLINED uint64_t burn_14_percent(uint64_t ns) { BURN(ns, 17); }
NEVER_INLINED uint64_t burn_8_percent(uint64_t ns) { BURN(ns, 19); }
NEVER_INLINED uint64_t burn_4_percent(uint64_t ns) { BURN(ns, 23); }
NEVER_INLINED uint64_t burn_1_percent(uint64_t ns) { BURN(ns, 29); }

static struct {
    const char *name;
    uint64_t (*burn)(uint64_t ns);
    uint64_t percent, ns;
} functions[] = {
    {"burn_48_percent", burn_48_percent, 48, 0}, {"burn_25_percent", burn_25_percent, 25, 0},
    {"burn_14_percent", burn_14_percent, 14, 0}, {"burn_8_percent", burn_8_percent, 8, 0},
    {"burn_4_percent", burn_4_percent, 4, 0},    {"burn_1_percent", burn_1_percent, 1, 0},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

// The function that is furthest behind its share.
static int next_function(void) {
    int next = 0;
    for (int i = 1; i < FUNCTIONS; i++)
        if (functions[i].ns * functions[next].percent < functions[next].ns * functions[i].percent)
            next = i;
    return next;
}

int main(int argc, char **argv) {
    uint64_t budget = (uint64_t)(atof(argc > 1 ? argv[1] : "1") * 1e9);
    uint64_t random = 88172645463325252u;
    // Turns of 0.1 to 3 ms of random length, so that no turn keeps step with a clock.
    while (process_cpu_ns() < budget) {
        int i = next_function();
        functions[i].ns += functions[i].burn(100000 + next_random(&random) % 2900000);
    }
    for (int i = 0; i < FUNCTIONS; i++)
        printf("%s %llu\n", functions[i].name, (unsigned long long)functions[i].ns);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 0;
}
