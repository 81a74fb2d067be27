// spin SECONDS FILE [return|_exit|abort|crash|exec]: burns that much CPU time, then ends that way.
//
// Keeps two words in FILE up to date through a shared mapping: its pid, then the CPU time of the
// process in nanoseconds. They stay there however it ends, so they say how much CPU time a killed
// process had used. Prints `done` before it ends; with `exec` it first runs itself once more.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu.h"

static volatile uint64_t *words;

static int map_words(const char *path) {
    int file = open(path, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, 2 * sizeof *words) != 0)
        return -1;
    void *memory = mmap(NULL, 2 * sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return -1;
    words = memory;
    return 0;
}

NEVER_INLINED void spin(uint64_t budget) {
    uint64_t x = 1, start = process_cpu_ns();
    while ((words[1] = process_cpu_ns()) - start < budget)
        for (int i = 0; i < 1000; i++) {
            x = x * 5 + 11;
            __asm__ volatile("" : "+r"(x));
        }
}

static int end(const char *how, char **argv) {
    if (strcmp(how, "exec") == 0)
        execl("/proc/self/exe", argv[0], argv[1], argv[2], NULL);
    puts("done");
    fflush(stdout);
    if (strcmp(how, "_exit") == 0)
        _exit(0);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "crash") == 0)
        *(volatile int *)NULL = 1;
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3 || map_words(argv[2]) != 0)
        return 1;
    words[0] = (uint64_t)getpid();
    spin((uint64_t)(atof(argv[1]) * 1e9));
    return end(argc > 3 ? argv[3] : "return", argv);
}
