// receives sigwait|sigwaitinfo|sigtimedwait|signalfd: takes signals off the full set, while two
// threads that block all signals burn CPU time, and one of them sends SIGPROF and SIGUSR1.
//
// Prints how many of each came, how many `strangers` (signals that nobody sent), whether a wait of
// 50 ms for a signal that does not come ends when it should, whether a wait is interrupted by a
// handler, and `burnt ns`.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "../programs/cpu.h"

enum { SIGNALS = 100, MS = 1000000 };

static atomic_long burnt;
static atomic_int done;
static sem_t taken;
static sigset_t all;
static const char *way;
static int descriptor;

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

// One at a time: two SIGPROFs that are pending are one.
static void *send(void *argument) {
    union sigval value = {4711};
    for (int i = 0; i < SIGNALS; i++) {
        sigqueue(getpid(), i % 2 ? SIGPROF : SIGUSR1, value);
        burnt += work(5 * MS);
        while (sem_wait(&taken) != 0)
            ;
    }
    return argument;
}

static void *burn(void *argument) {
    while (!done)
        burnt += work(5 * MS);
    return argument;
}

// The next signal; `own` is whether it is known to have been sent by us.
static int receive(int *own) {
    siginfo_t info = {0};
    struct signalfd_siginfo read_info;
    int signal = 0;
    *own = 1;
    if (strcmp(way, "sigwait") == 0)
        return sigwait(&all, &signal) == 0 ? signal : -1;
    if (strcmp(way, "signalfd") == 0) {
        if (read(descriptor, &read_info, sizeof read_info) != sizeof read_info)
            return -1;
        *own = read_info.ssi_code == SI_QUEUE && read_info.ssi_int == 4711;
        return (int)read_info.ssi_signo;
    }
    signal = strcmp(way, "sigwaitinfo") == 0 ? sigwaitinfo(&all, &info)
                                             : sigtimedwait(&all, &info, &(struct timespec){60, 0});
    *own = info.si_code == SI_QUEUE && info.si_value.sival_int == 4711;
    return signal;
}

// A signal after the one that was sent, within 50 ms, is a stranger, however it looks.
static void time_out(void) {
    uint64_t start = clock_ns(CLOCK_MONOTONIC);
    int signal = sigtimedwait(&all, NULL, &(struct timespec){0, 50 * MS}), error = errno;
    uint64_t took = clock_ns(CLOCK_MONOTONIC) - start;
    printf("timeout %d, %s, %s\n", signal, signal < 0 ? strerror(error) : "-",
           took >= 50 * MS ? "in time" : "too early");
}

static void on_alarm(int signal) { (void)signal; }

// SIGALRM is the one signal that is not waited for, and has a handler.
static void interrupt(void) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigset_t others = all;
    sigdelset(&others, SIGALRM);
    sigaction(SIGALRM, &action, NULL);
    pthread_sigmask(SIG_SETMASK, &others, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 20000}}, NULL);
    int signal = sigwaitinfo(&others, NULL), error = errno;
    printf("interrupted %d, %s\n", signal, signal < 0 ? strerror(error) : "-");
}

int main(int argc, char **argv) {
    pthread_t sender, burner;
    int own, profs = 0, users = 0, strangers = 0;
    way = argc > 1 ? argv[1] : "sigwait";
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    descriptor = signalfd(-1, &all, SFD_CLOEXEC);
    sem_init(&taken, 0, 0);
    pthread_create(&burner, NULL, burn, NULL);
    pthread_create(&sender, NULL, send, NULL);
    while (profs + users < SIGNALS) {
        int signal = receive(&own);
        if (!own || (signal != SIGPROF && signal != SIGUSR1)) {
            strangers++;
            continue;
        }
        profs += signal == SIGPROF;
        users += signal == SIGUSR1;
        sem_post(&taken);
    }
    time_out();
    interrupt();
    done = 1;
    pthread_join(sender, NULL);
    pthread_join(burner, NULL);
    printf("profs %d\nusers %d\nstrangers %d\n", profs, users, strangers);
    printf("burnt %ld\n", burnt);
    return 0;
}
