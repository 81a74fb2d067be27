// strangers raw|masked: two threads of an unusual kind burn CPU time in `stranger`, 2 s and 4 s,
// while the main thread burns 2 s in `native`.
//
// raw: made by clone itself, unknown to the C library. masked: blocks all signals for as long as it
// lives. Prints `stranger ns`, `native ns` and `total ns`.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu.h"

enum { STACK = 256 << 10, COUNT = 2 };

static _Atomic uint64_t stranger_ns;
static atomic_int alive[COUNT];

NEVER_INLINED uint64_t stranger(uint64_t ns) { BURN(ns, 11); }
NEVER_INLINED uint64_t native(uint64_t ns) { BURN(ns, 13); }

// It has the thread-local storage of the main thread: nothing here may use that.
static int run_raw(void *number) {
    stranger_ns += stranger(2000000000u * (uint64_t)(1 + (long)number));
    syscall(SYS_exit, 0);
    return 0;
}

static void start_raw(long number) {
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                CLONE_CHILD_CLEARTID;
    char *stack = malloc(STACK);
    alive[number] = 1;
    if (clone(run_raw, stack + STACK, flags, (void *)number, NULL, NULL, &alive[number]) < 0)
        exit(1);
}

static void join_raw(long number) {
    while (alive[number] != 0)
        syscall(SYS_futex, &alive[number], FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void *run_masked(void *number) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    stranger_ns += stranger(2000000000u * (uint64_t)(1 + (long)number));
    return NULL;
}

int main(int argc, char **argv) {
    int raw = argc > 1 && strcmp(argv[1], "raw") == 0;
    pthread_t threads[COUNT];
    for (long i = 0; i < COUNT; i++) {
        if (raw)
            start_raw(i);
        else
            pthread_create(&threads[i], NULL, run_masked, (void *)i);
    }
    uint64_t native_ns = native(2000000000);
    for (long i = 0; i < COUNT; i++) {
        if (raw)
            join_raw(i);
        else
            pthread_join(threads[i], NULL);
    }
    printf("stranger %llu\n", (unsigned long long)stranger_ns);
    printf("native %llu\n", (unsigned long long)native_ns);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 0;
}
