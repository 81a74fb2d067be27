// fork_storm FACTOR: forks, from three threads at the same time, children that allocate, compute,
// start a thread or a child of their own, and exit in different ways.
#include <pthread.h>
#include <sys/wait.h>

#include "torture.h"

enum { CHILDREN = 160 };

static int factor;
static int forks;

static void count_fork(void) { __atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED); }

static void *compute_in_thread(void *argument) {
    *(uint64_t *)argument = compute(*(uint64_t *)argument, 100);
    return NULL;
}

static int result_of(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void child(int number) {
    uint64_t result = (uint64_t)number;
    char *memory = calloc(1, 1000u + (unsigned)number * 100u);
    pthread_t thread;
    switch (number % 5) {
        case 0:
            pthread_create(&thread, NULL, compute_in_thread, &result);
            pthread_join(thread, NULL);
            break;
        case 1: {
            pid_t grandchild = fork();
            if (grandchild == 0)
                _exit((int)compute(result, 50) & 63);
            result = (uint64_t)result_of(grandchild);
            break;
        }
        case 2: raise(SIGKILL); break;
        case 3: raise(SIGUSR1); break;
        default: result = compute(result, 200);
    }
    free(memory);
    _exit((int)result & 63);
}

static void *run(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < CHILDREN * factor; i++) {
        pid_t pid = fork();
        if (pid == 0)
            child(i);
        void *memory = malloc(100u + (unsigned)i % 1000u);
        *sum = mix(*sum, (uint64_t)result_of(pid));
        *sum = mix(*sum, compute(*sum, 100));
        free(memory);
    }
    return NULL;
}

int main(int argc, char **argv) {
    factor = begin(argc, argv);
    pthread_atfork(count_fork, NULL, NULL);
    uint64_t checksum = in_three_threads(run);
    return end(mix(checksum, (uint64_t)forks));
}
