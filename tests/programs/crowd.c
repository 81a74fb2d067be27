// crowd COUNT ROUNDS: COUNT threads that live at the same time and nearly always sleep: eight of
// them are awake at a time, and wake up the next ones when they have burnt 1 ms of CPU time. It
// is everybody's turn ROUNDS times.
//
// Their stacks lie side by side in one mapping, so that the rest of the memory can be told from
// them. Prints, when all have burnt and all still live, in KiB of resident memory,
// `memory_stacks`, `memory_sigspy` (mappings with that name), `memory_other` and, for all of it,
// `memory_share` (Pss); then `threads COUNT`, `burns N` and `total ns`.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu.h"

enum { STACK = 64 << 10, AWAKE = 8 };

struct member {
    pthread_t thread;
    sem_t turn;
};

static struct member *members;
static char *stacks;
static long count, rounds;
static pthread_barrier_t all_have_burnt, all_may_go;
static atomic_long burns;

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

static void *run(void *argument) {
    long number = (long)argument;
    for (long round = 0; round < rounds; round++) {
        sem_wait(&members[number].turn);
        work(1000000);
        burns++;
        sem_post(&members[(number + AWAKE) % count].turn);
    }
    pthread_barrier_wait(&all_have_burnt);
    pthread_barrier_wait(&all_may_go);
    return argument;
}

static void start(long number) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stacks + number * STACK, STACK);
    if (pthread_create(&members[number].thread, &attributes, run, (void *)number) != 0) {
        printf("cannot start thread %ld\n", number);
        exit(1);
    }
    pthread_attr_destroy(&attributes);
}

static void print_memory(void) {
    long in_stacks = 0, in_sigspy = 0, in_other = 0, share = 0, kib;
    long *part = &in_other;
    char line[1024];
    unsigned long from;
    FILE *smaps = fopen("/proc/self/smaps", "r");
    while (smaps != NULL && fgets(line, sizeof line, smaps) != NULL) {
        if (sscanf(line, "%lx-%*x ", &from) == 1) {
            int is_stack = (char *)from >= stacks && (char *)from < stacks + count * STACK;
            part = is_stack ? &in_stacks : strstr(line, "sigspy") ? &in_sigspy : &in_other;
        } else if (sscanf(line, "Rss: %ld", &kib) == 1) {
            *part += kib;
        } else if (sscanf(line, "Pss: %ld", &kib) == 1) {
            share += kib;
        }
    }
    printf("memory_stacks %ld\nmemory_sigspy %ld\n", in_stacks, in_sigspy);
    printf("memory_other %ld\nmemory_share %ld\n", in_other, share);
}

int main(int argc, char **argv) {
    count = argc > 1 ? atol(argv[1]) : 100;
    rounds = argc > 2 ? atol(argv[2]) : 1;
    members = calloc((size_t)count, sizeof *members);
    stacks = mmap(NULL, (size_t)count * STACK, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED || count < AWAKE)
        return 1;
    pthread_barrier_init(&all_have_burnt, NULL, (unsigned)count + 1);
    pthread_barrier_init(&all_may_go, NULL, (unsigned)count + 1);
    for (long i = 0; i < count; i++)
        sem_init(&members[i].turn, 0, 0);
    for (long i = 0; i < count; i++)
        start(i);
    for (long i = 0; i < AWAKE; i++)
        sem_post(&members[i].turn);
    pthread_barrier_wait(&all_have_burnt);
    print_memory();
    pthread_barrier_wait(&all_may_go);
    for (long i = 0; i < count; i++)
        pthread_join(members[i].thread, NULL);
    printf("threads %ld\nburns %ld\n", count, burns);
    printf("total %llu\n", (unsigned long long)process_cpu_ns());
    return 0;
}
