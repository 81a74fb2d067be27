// interrupt once|always FILE: a program with its own idea of what SIGINT means.
//
// Burns CPU time; makes FILE when it is ready, and prints `interrupted` for each SIGINT. With `once`
// it ends by itself 0.3 s of CPU time after the first; with `always` it never ends.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"

static volatile sig_atomic_t interrupts;

static void on_sigint(int signal) {
    (void)signal;
    interrupts++;
}

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

static void wait_for_interrupt(int seen) {
    while (interrupts == seen)
        work(1000000);
    puts("interrupted");
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 1;
    int always = strcmp(argv[1], "always") == 0;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_sigint;
    sigaction(SIGINT, &action, NULL);
    fclose(fopen(argv[2], "w"));
    int seen = 0;
    do
        wait_for_interrupt(seen++);
    while (always);
    work(300000000);
    puts("ended");
    return 0;
}
