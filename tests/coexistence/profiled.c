// profiled: burns 3 s of CPU time in `work`, for two profilers to see. Prints `burnt ns`.
#include <stdio.h>

#include "../programs/cpu.h"

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

int main(void) {
    printf("burnt %llu\n", (unsigned long long)work(3000000000));
    return 0;
}
