// exec_storm FACTOR: starts itself again and again, by vfork, fork and posix_spawn, from two threads
// at the same time; with the same environment and with none; and programs that are not there.
#define _GNU_SOURCE
#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

#include "torture.h"

enum { THREADS = 2, ROUNDS = 12 };

extern char **environ;
static int factor;

static int result_of(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int by_vfork(const char *path, char **arguments, char **environment) {
    pid_t pid = vfork();
    if (pid == 0) {
        execve(path, arguments, environment);
        _exit(99);
    }
    return result_of(pid);
}

static int by_fork(char **arguments) {
    pid_t pid = fork();
    if (pid == 0) {
        execv("/nowhere/at/all", arguments);
        execvp(arguments[0], arguments);
        _exit(99);
    }
    return result_of(pid);
}

static int by_spawn(const char *path, char **arguments) {
    pid_t pid;
    if (posix_spawn(&pid, path, NULL, NULL, arguments, environ) != 0)
        return 98;
    return result_of(pid);
}

static void *run(void *argument) {
    uint64_t *sum = argument;
    static char *no_environment[] = {NULL};
    for (int i = 0; i < ROUNDS * factor; i++) {
        char self[] = "/proc/self/exe", word[] = "child", number[16];
        char *arguments[] = {self, word, number, NULL};
        snprintf(number, sizeof number, "%d", i);
        *sum = mix(*sum, (uint64_t)by_vfork(self, arguments, environ));
        *sum = mix(*sum, (uint64_t)by_vfork(self, arguments, no_environment));
        *sum = mix(*sum, (uint64_t)by_vfork("/nowhere", arguments, environ));
        *sum = mix(*sum, (uint64_t)by_fork(arguments));
        *sum = mix(*sum, (uint64_t)by_spawn(self, arguments));
        *sum = mix(*sum, (uint64_t)by_spawn("/nowhere", arguments));
        *sum = mix(*sum, compute(*sum, 1000));
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "child") == 0)
        return (int)compute((uint64_t)atoi(argv[2]), 2000) & 63;
    factor = begin(argc, argv);
    pthread_t threads[THREADS];
    uint64_t sums[THREADS] = {1, 2};
    for (int k = 0; k < THREADS; k++)
        pthread_create(&threads[k], NULL, run, &sums[k]);
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
    return end(mix(sums[0], sums[1]));
}
