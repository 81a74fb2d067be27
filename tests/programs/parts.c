// parts MS MS MS MS MS MS: burns so many milliseconds of CPU time in each of six functions.
//
// At the end it prints `work 100`.
#include <stdio.h>
#include <stdlib.h>

#include "cpu.h"

NEVER_INLINED uint64_t part_1(uint64_t ns) { BURN(ns, 11); }
NEVER_INLINED uint64_t part_2(uint64_t ns) { BURN(ns, 13); }
NEVER_INLINED uint64_t part_3(uint64_t ns) { BURN(ns, 17); }
NEVER_INLINED uint64_t part_4(uint64_t ns) { BURN(ns, 19); }
NEVER_INLINED uint64_t part_5(uint64_t ns) { BURN(ns, 23); }
NEVER_INLINED uint64_t part_6(uint64_t ns) { BURN(ns, 29); }

static uint64_t (*const parts[])(uint64_t ns) = {part_1, part_2, part_3, part_4, part_5, part_6};
enum { PARTS = sizeof parts / sizeof parts[0] };

int main(int argc, char **argv) {
    uint64_t left[PARTS] = {0}, random = 88172645463325252u;
    for (int i = 0; i < PARTS && i + 1 < argc; i++)
        left[i] = strtoull(argv[i + 1], NULL, 10) * 1000000;
    // Turns of random length, so that no turn keeps step with a clock.
    for (int busy = 1; busy;) {
        busy = 0;
        for (int i = 0; i < PARTS; i++) {
            uint64_t turn = 100000 + next_random(&random) % 2900000;
            if (left[i] == 0)
                continue;
            uint64_t burnt = parts[i](turn < left[i] ? turn : left[i]);
            left[i] -= burnt < left[i] ? burnt : left[i];
            busy = 1;
        }
    }
    puts("work 100");
    return 0;
}
