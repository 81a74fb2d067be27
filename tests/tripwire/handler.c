// handler FUNCTION in|out: calls a function of the C library with all 64 signals blocked, as they
// are while a handler of sigspy runs, or with the mask that the program was given.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static void *volatile result;

static void nothing(void) {}

static void call(const char *function) {
    struct timespec now;
    struct sigaction action;
#define CASE(name, ...)              \
    if (strcmp(function, #name) == 0) { \
        __VA_ARGS__;                 \
        return;                      \
    }
    CASE(malloc, result = malloc(10))
    CASE(calloc, result = calloc(10, 10))
    CASE(realloc, result = realloc(result, 20))
    CASE(free, free(result))
    CASE(aligned_alloc, result = aligned_alloc(64, 64))
    CASE(dlsym, result = dlsym(RTLD_DEFAULT, "puts"))
    CASE(dlopen, result = dlopen(NULL, RTLD_NOW))
    CASE(pthread_self, result = (void *)pthread_self())
    CASE(pthread_kill, pthread_kill(pthread_self(), 0))
    CASE(pthread_once, pthread_once(&once, nothing))
    CASE(pthread_getspecific, result = pthread_getspecific(key))
    CASE(pthread_mutex_lock, pthread_mutex_lock(&mutex))
    CASE(pthread_mutex_trylock, pthread_mutex_trylock(&mutex))
    CASE(pthread_cond_signal, pthread_cond_signal(&condition))
    CASE(pthread_rwlock_rdlock, pthread_rwlock_rdlock(&rwlock))
    CASE(__errno_location, result = &errno)
    CASE(clock_gettime, clock_gettime(CLOCK_MONOTONIC, &now))
    CASE(sigaction, sigaction(SIGUSR1, NULL, &action))
    _exit(3);
}

static void change_mask(uint64_t mask) {
    long number = SYS_rt_sigprocmask;
    register long size __asm__("r10") = sizeof mask;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"((long)SIG_SETMASK), "S"(&mask), "d"(0L), "r"(size)
                     : "rcx", "r11", "memory");
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    result = malloc(10);
    pthread_key_create(&key, NULL);
    if (strcmp(argv[2], "in") == 0)
        change_mask(~(uint64_t)0);
    call(argv[1]);
    change_mask(0);
    puts("alive");
    return 0;
}
