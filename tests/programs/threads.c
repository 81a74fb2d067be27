// threads COUNT SECONDS [MS]: COUNT threads share that much CPU time; thread k does k + 1 parts of it.
// Before that, and before they give themselves names, each burns so many milliseconds.
//
// Prints `tid name ns` for each thread and `total ns` for the process.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpu.h"

struct worker {
    pthread_t thread;
    int number;
    pid_t tid;
    char name[16];
    uint64_t budget_ns, ns;
};

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

static uint64_t late_ns;

static void *run(void *argument) {
    struct worker *self = argument;
    self->tid = gettid();
    snprintf(self->name, sizeof self->name, "worker-%d", self->number);
    if (late_ns > 0)
        work(late_ns);
    pthread_setname_np(pthread_self(), self->name);
    work(self->budget_ns);
    self->ns = thread_cpu_ns();
    return NULL;
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 2;
    double seconds = argc > 2 ? atof(argv[2]) : 1;
    late_ns = argc > 3 ? strtoull(argv[3], NULL, 10) * 1000000 : 0;
    double part_ns = seconds * 1e9 / ((double)count * (count + 1) / 2);
    struct worker *workers = calloc((size_t)count, sizeof *workers);
    for (int k = 0; k < count; k++) {
        workers[k].number = k;
        workers[k].budget_ns = (uint64_t)(part_ns * (k + 1));
        pthread_create(&workers[k].thread, NULL, run, &workers[k]);
    }
    for (int k = 0; k < count; k++)
        pthread_join(workers[k].thread, NULL);
    for (int k = 0; k < count; k++)
        printf("%d %s %llu\n", workers[k].tid, workers[k].name, (unsigned long long)workers[k].ns);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    free(workers);
    return 0;
}
