// own_timer setitimer|timer_create: a program that profiles itself at 25 Hz for 3 s of CPU time.
// (setitimer does not count the expiries that it merges: a faster one loses some on a busy machine.)
//
// Prints what it found SIGPROF set to before and after its own sigaction, how many ticks its
// handler counted (with the expiries merged into one signal), and how many were not its own.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "cpu.h"

static int cookie;
static volatile sig_atomic_t expected_code, ticks, strangers;

static void on_sigprof(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    if (info->si_code != expected_code)
        strangers++;
    else if (info->si_code != SI_TIMER)
        ticks++;
    else if (info->si_value.sival_ptr == &cookie)
        ticks += 1 + info->si_overrun;
    else
        strangers++;
}

static const char *disposition(void) {
    struct sigaction now;
    sigaction(SIGPROF, NULL, &now);
    if (now.sa_flags & SA_SIGINFO)
        return now.sa_sigaction == on_sigprof ? "own" : "foreign";
    return now.sa_handler == SIG_DFL ? "default" : now.sa_handler == SIG_IGN ? "ignored" : "foreign";
}

static void start_setitimer(void) {
    struct itimerval every_40_ms = {{0, 40000}, {0, 40000}};
    expected_code = SI_KERNEL;
    setitimer(ITIMER_PROF, &every_40_ms, NULL);
}

static void start_timer_create(void) {
    struct sigevent event;
    struct itimerspec every_40_ms = {{0, 40000000}, {0, 40000000}};
    timer_t timer;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGPROF;
    event.sigev_value.sival_ptr = &cookie;
    expected_code = SI_TIMER;
    timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer);
    timer_settime(timer, 0, &every_40_ms, NULL);
}

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

int main(int argc, char **argv) {
    struct sigaction action;
    printf("before %s\n", disposition());
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_sigprof;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGPROF, &action, NULL);
    printf("after %s\n", disposition());
    if (argc > 1 && strcmp(argv[1], "timer_create") == 0)
        start_timer_create();
    else
        start_setitimer();
    work(3000000000);
    printf("ticks %d\n", (int)ticks);
    printf("strangers %d\n", (int)strangers);
    return 0;
}
