// masks: blocks SIGPROF in many ways and says what it reads back. Each line must be the same when a
// profiler is at work. In between it burns CPU time, so that the profiler has something to do.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "../programs/cpu.h"

enum { MS = 1000000 };

static volatile sig_atomic_t got;

static void on_sigprof(int signal) { got += signal == SIGPROF; }

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

static void show_set(const char *what, const sigset_t *set) {
    printf("%s:", what);
    for (int signal = 1; signal < 65; signal++)
        if (sigismember(set, signal) == 1)
            printf(" %d", signal);
    printf("\n");
}

static void show_mask(const char *what) {
    sigset_t mask;
    work(30 * MS);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    show_set(what, &mask);
}

static void on_sigusr1(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    show_set("interrupted mask", &((ucontext_t *)context)->uc_sigmask);
    show_mask("mask of the handler");
    sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
}

static void *thread(void *argument) {
    show_mask("inherited by a thread");
    return argument;
}

static void with_sigprof_pending(void) {
    sigset_t pending, none;
    sigemptyset(&none);
    work(30 * MS);
    sigpending(&pending);
    show_set("pending, nothing sent", &pending);
    kill(getpid(), SIGPROF);
    work(30 * MS);
    sigpending(&pending);
    show_set("pending, one sent", &pending);
    printf("got %d while blocked\n", (int)got);
    sigsuspend(&none);
    printf("got %d by sigsuspend\n", (int)got);
    kill(getpid(), SIGPROF);
    printf("ppoll: %d, got %d\n", ppoll(NULL, 0, &(struct timespec){10, 0}, &none), (int)got);
    kill(getpid(), SIGPROF);
    printf("pselect: %d, got %d\n", pselect(0, NULL, NULL, NULL, &(struct timespec){10, 0}, &none),
           (int)got);
    show_mask("after waiting");
}

int main(int argc, char **argv) {
    sigset_t all, sigprof, before;
    sigjmp_buf place;
    pthread_t other;
    struct sigaction action;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        show_mask("inherited by exec");
        return 0;
    }
    sigfillset(&all);
    sigemptyset(&sigprof);
    sigaddset(&sigprof, SIGPROF);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_sigprof;
    sigaction(SIGPROF, &action, NULL);
    action.sa_sigaction = on_sigusr1;
    action.sa_flags = SA_SIGINFO;
    action.sa_mask = all;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR1, NULL, &action);
    show_set("mask of an action", &action.sa_mask);

    show_mask("at first");
    sigprocmask(SIG_BLOCK, &sigprof, &before);
    show_set("before", &before);
    show_mask("blocked");
    with_sigprof_pending();
    raise(SIGUSR1);
    show_mask("after the handler");
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    if (sigsetjmp(place, 1) == 0) {
        pthread_sigmask(SIG_SETMASK, &all, &before);
        show_set("before all", &before);
        show_mask("all blocked");
        siglongjmp(place, 1);
    }
    show_mask("after siglongjmp");
    if (fork() == 0) {
        show_mask("inherited by fork");
        execl("/proc/self/exe", argv[0], "again", NULL);
        _exit(9);
    }
    wait(NULL);
    pthread_sigmask(SIG_UNBLOCK, &sigprof, &before);
    show_set("before unblocking", &before);
    show_mask("unblocked");
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_sigmask(SIG_UNBLOCK, &sigprof, &before);
    show_set("before unblocking one of all", &before);
    show_mask("all but one");
    printf("got %d in all\n", (int)got);
    return 0;
}
