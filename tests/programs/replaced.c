// replaced: puts the file that is named on the command line in the place of its own, or removes its
// own if none is named; then it uses 0.4 s of CPU time.
#include <stdio.h>
#include <unistd.h>

#include "cpu.h"

NEVER_INLINED uint64_t works_on(uint64_t ns) { BURN(ns, 3); }

int main(int argc, char **argv) {
    int failed = argc > 1 ? rename(argv[1], argv[0]) : unlink(argv[0]);
    printf("works_on %llu\n", (unsigned long long)works_on(400000000));
    return failed ? 1 : 0;
}
