// handlers sigaction|signal|raw: a program with a SIGPROF handler of its own, which it installs by
// one of the C library's functions, or by the system call itself.
//
// Then it creates a thread, and both send SIGPROFs to it while they burn CPU time. Prints what the
// program finds when it asks for the handler, how many of its signals came, how many others, and
// `burnt ns`: the CPU time in `work`.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../programs/cpu.h"

enum { ROUNDS = 100, MS = 1000000 };

static atomic_long killed, queued, thrown, strangers, burnt;

static void count(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    if (info->si_code == SI_USER && info->si_pid == getpid())
        killed++;
    else if (info->si_code == SI_QUEUE && info->si_value.sival_int == 4711)
        queued++;
    else if (info->si_code == SI_TKILL && info->si_pid == getpid())
        thrown++;
    else
        strangers++;
}

static void count_alone(int signal) {
    (void)signal;
    killed++;
}

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

// The kernel's own view of an action; the code that returns from a handler is the program's.
struct kernel_action {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

void return_from_handler(void);
__asm__(".text\n.globl return_from_handler\nreturn_from_handler:\n\tmov $15, %eax\n\tsyscall\n");

static void install(const char *way) {
    struct kernel_action raw = {count, SA_SIGINFO | SA_RESTART | 0x04000000, return_from_handler, 0};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = count;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    if (strcmp(way, "raw") == 0)
        syscall(SYS_rt_sigaction, SIGPROF, &raw, NULL, 8);
    else if (strcmp(way, "signal") == 0)
        printf("before %s\n", signal(SIGPROF, count_alone) == SIG_DFL ? "default" : "foreign");
    else
        sigaction(SIGPROF, &action, NULL);
}

static void ask(const char *when) {
    struct sigaction found;
    sigaction(SIGPROF, NULL, &found);
    int own = found.sa_sigaction == count || found.sa_handler == count_alone;
    printf("%s %s, flags %x\n", when, own ? "own" : "foreign", (unsigned)found.sa_flags & ~0x04000000u);
}

static void *run(void *argument) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_kill(pthread_self(), SIGPROF);
        burnt += work(5 * MS);
    }
    return argument;
}

int main(int argc, char **argv) {
    pthread_t thread;
    union sigval value = {4711};
    const char *way = argc > 1 ? argv[1] : "sigaction";
    install(way);
    pthread_create(&thread, NULL, run, NULL);
    // A raw system call can be noticed by the profiler when the thread is created, but no sooner.
    strangers = 0;
    ask("installed");
    pthread_join(thread, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        kill(getpid(), SIGPROF);
        sigqueue(getpid(), SIGPROF, value);
        burnt += work(5 * MS);
    }
    ask("at the end");
    printf("killed %ld\nqueued %ld\nthrown %ld\nstrangers %ld\n", killed, queued, thrown, strangers);
    printf("burnt %ld\n", burnt);
    return 0;
}
