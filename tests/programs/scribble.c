// scribble: does its worst to the profiler that shares memory with it, then exits with 7.
//
// For a second one thread overwrites every writable shared mapping named sigspy with random bytes,
// while the main thread burns CPU time. It also tries to shrink the files behind the mappings, and
// lists the file descriptors left open to it. Prints `bytes N`, `shrunk N` and `fds N names`.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"

struct mapping {
    unsigned long start, end;
};

static struct mapping mappings[256];
static int mapping_count;
static volatile int stop;
static uint64_t bytes;

static void find_mappings(void) {
    char line[512], permissions[8];
    struct mapping one;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps) != NULL && mapping_count < 256)
        if (sscanf(line, "%lx-%lx %7s", &one.start, &one.end, permissions) == 3 &&
            strncmp(permissions, "rw", 2) == 0 && permissions[3] == 's' &&
            strstr(line, "sigspy") != NULL)
            mappings[mapping_count++] = one;
    fclose(maps);
}

static void shrink_mappings(void) {
    int shrunk = 0;
    for (int i = 0; i < mapping_count; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/map_files/%lx-%lx", mappings[i].start,
                 mappings[i].end);
        int file = open(path, O_RDWR);
        if (file < 0)
            continue;  // needs a capability
        shrunk += ftruncate(file, 0) == 0;
        close(file);
    }
    printf("shrunk %d\n", shrunk);
}

static void print_fds(void) {
    struct dirent *entry;
    char names[4096] = "", path[300], target[256];
    int count = 0;
    DIR *fds = opendir("/proc/self/fd");
    while ((entry = readdir(fds)) != NULL) {
        int number;
        if (sscanf(entry->d_name, "%d", &number) != 1 || number == dirfd(fds))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", number);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        snprintf(names + strlen(names), sizeof names - strlen(names), " %d=%s", number, target);
        count++;
    }
    closedir(fds);
    printf("fds %d%s\n", count, names);
}

static void *scribble(void *argument) {
    uint64_t random = 88172645463325252u;
    while (!stop && mapping_count > 0) {
        const struct mapping *target = &mappings[next_random(&random) % (unsigned)mapping_count];
        unsigned long words = (target->end - target->start) / sizeof(uint64_t);
        for (int i = 0; i < 4096; i++) {
            volatile uint64_t *word = (uint64_t *)target->start + next_random(&random) % words;
            *word = next_random(&random);
            bytes += sizeof *word;
        }
    }
    return argument;
}

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

int main(void) {
    pthread_t scribbler;
    print_fds();
    work(200000000);
    find_mappings();
    shrink_mappings();
    pthread_create(&scribbler, NULL, scribble, NULL);
    work(1000000000);
    stop = 1;
    pthread_join(scribbler, NULL);
    printf("bytes %llu\n", (unsigned long long)bytes);
    return 7;
}
