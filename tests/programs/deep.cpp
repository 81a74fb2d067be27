// deep SECONDS: burns CPU time at the bottom of stacks of 5 to 500 levels and in catch blocks.
//
// A level is one call of `descend`. Every tenth level goes through a callback of qsort, and every
// tenth through a try block that catches what is thrown on the way back from the bottom. At the end
// it prints `name ns` for each function that burns, and `total ns` for the process.
#include <cstdio>
#include <cstdlib>

#include "cpu.h"

struct Bottom {
    const char *name;
    int levels;
    uint64_t (*burn)(uint64_t ns);
    uint64_t ns;
};

// What the callback of qsort has to know; qsort passes on nothing of ours.
static Bottom *bottom;
static int levels_left;
static uint64_t catch_ns;

// Turns are of random length, so that none keeps step with a clock.
static uint64_t turn_ns() {
    static uint64_t random = 88172645463325252u;
    return 500000 + next_random(&random) % 3000000;
}

extern "C" {
NEVER_INLINED uint64_t burn_below_5(uint64_t ns) { BURN(ns, 11); }
NEVER_INLINED uint64_t burn_below_20(uint64_t ns) { BURN(ns, 13); }
NEVER_INLINED uint64_t burn_below_50(uint64_t ns) { BURN(ns, 17); }
NEVER_INLINED uint64_t burn_below_100(uint64_t ns) { BURN(ns, 19); }
NEVER_INLINED uint64_t burn_below_200(uint64_t ns) { BURN(ns, 23); }
NEVER_INLINED uint64_t burn_below_500(uint64_t ns) { BURN(ns, 29); }
NEVER_INLINED uint64_t burn_in_catch(uint64_t ns) { BURN(ns, 31); }

void descend(int levels);

NEVER_INLINED int compare(const void *, const void *) {
    descend(levels_left);
    return 0;
}

NEVER_INLINED void descend_in_qsort(int levels) {
    int pair[2] = {1, 2};
    levels_left = levels;
    qsort(pair, 2, sizeof pair[0], compare);
    __asm__ volatile("" ::"r"(pair) : "memory");
}

NEVER_INLINED void descend_and_throw(int levels) {
    descend(levels);
    throw levels;
}

NEVER_INLINED void descend_in_try(int levels) {
    try {
        descend_and_throw(levels);
    } catch (int thrown) {
        catch_ns += burn_in_catch(100000 + static_cast<uint64_t>(thrown) * 100);
    }
}

NEVER_INLINED void descend(int levels) {
    if (levels == 1)
        bottom->ns += bottom->burn(turn_ns());
    else if (levels % 10 == 3)
        descend_in_qsort(levels - 1);
    else if (levels % 10 == 7)
        descend_in_try(levels - 1);
    else
        descend(levels - 1);
    __asm__ volatile("" ::: "memory");  // keeps the calls above from becoming jumps
}
}

static Bottom bottoms[] = {
    {"burn_below_5", 5, burn_below_5, 0},       {"burn_below_20", 20, burn_below_20, 0},
    {"burn_below_50", 50, burn_below_50, 0},    {"burn_below_100", 100, burn_below_100, 0},
    {"burn_below_200", 200, burn_below_200, 0}, {"burn_below_500", 500, burn_below_500, 0},
};

int main(int argc, char **argv) {
    uint64_t budget = static_cast<uint64_t>(atof(argc > 1 ? argv[1] : "1") * 1e9);
    while (process_cpu_ns() < budget)
        for (Bottom &one : bottoms) {
            bottom = &one;
            descend(one.levels);
        }
    for (const Bottom &one : bottoms)
        printf("%s %llu\n", one.name, static_cast<unsigned long long>(one.ns));
    printf("burn_in_catch %llu\n", static_cast<unsigned long long>(catch_ns));
    printf("total %llu\n", static_cast<unsigned long long>(process_cpu_ns()));
    return 0;
}
