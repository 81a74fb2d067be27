// waits CALLS: waits in eight ways, each in two threads and CALLS times a thread, 1 ms at a time,
// while the main thread burns CPU time.
//
// A thread works for about 0.1 ms between two calls, so that its own clock ticks as well. Nobody
// sends a signal, so no call should return EINTR. Prints `WAY CALLS INTERRUPTED` for each way.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cpu.h"

enum { THREADS_PER_WAY = 2, MS = 1000000 };

static int epoll, sockets[2];
static sem_t never_posted;
static const struct timespec one_ms = {0, MS};

static int by_poll(void) {
    struct pollfd silent = {sockets[0], POLLIN, 0};
    return poll(&silent, 1, 1);
}

static int by_epoll_wait(void) {
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, 1);
}

static int by_select(void) {
    fd_set silent;
    struct timeval time = {0, 1000};
    FD_ZERO(&silent);
    FD_SET(sockets[0], &silent);
    return select(sockets[0] + 1, &silent, NULL, NULL, &time);
}

static int by_nanosleep(void) { return nanosleep(&one_ms, NULL); }

// It returns its error, unlike the others.
static int by_clock_nanosleep(void) {
    errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &one_ms, NULL);
    return errno == 0 ? 0 : -1;
}

static int by_recv(void) {
    char byte;
    return (int)recv(sockets[0], &byte, 1, 0);  // SO_RCVTIMEO: EAGAIN after 1 ms
}

static int by_sem_timedwait(void) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += MS;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    return sem_timedwait(&never_posted, &end);
}

static int by_sigtimedwait(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return sigtimedwait(&set, NULL, &one_ms);
}

static struct way {
    const char *name;
    int (*wait)(void);
    atomic_long calls, interrupted;
} ways[] = {
    {"poll", by_poll, 0, 0},
    {"epoll_wait", by_epoll_wait, 0, 0},
    {"select", by_select, 0, 0},
    {"nanosleep", by_nanosleep, 0, 0},
    {"clock_nanosleep", by_clock_nanosleep, 0, 0},
    {"recv", by_recv, 0, 0},
    {"sem_timedwait", by_sem_timedwait, 0, 0},
    {"sigtimedwait", by_sigtimedwait, 0, 0},
};

enum { WAYS = sizeof ways / sizeof *ways, THREADS = WAYS * THREADS_PER_WAY };

static long calls_per_thread;
static atomic_int waiting = THREADS;

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

static void *run(void *argument) {
    struct way *way = argument;
    for (long i = 0; i < calls_per_thread; i++) {
        work(MS / 10);
        way->calls++;
        if (way->wait() < 0 && errno == EINTR)
            way->interrupted++;
    }
    waiting--;
    return NULL;
}

static void prepare(void) {
    struct timeval time = {0, 1000};
    epoll = epoll_create1(0);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    sem_init(&never_posted, 0, 0);
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    calls_per_thread = argc > 1 ? atol(argv[1]) : 100;
    prepare();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, &ways[i % WAYS]);
    while (waiting > 0)
        work(MS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WAYS; i++)
        printf("%s %ld %ld\n", ways[i].name, ways[i].calls, ways[i].interrupted);
    return 0;
}
