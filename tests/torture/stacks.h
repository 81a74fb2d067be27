// Memory for stacks, with guard pages around it.
#ifndef STACKS_H
#define STACKS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

enum { PAGE = 4096 };

// Memory that begins and ends at a page without access; `size` is a number of whole pages.
static inline char *map_guarded(size_t size) {
    char *all = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + PAGE, size, PROT_READ | PROT_WRITE) != 0) {
        perror("mmap");
        exit(2);
    }
    return all + PAGE;
}

static inline void unmap_guarded(char *memory, size_t size) {
    munmap(memory - PAGE, size + 2 * PAGE);
}

static inline size_t whole_pages(size_t size) { return (size + PAGE - 1) / PAGE * PAGE; }

// The smallest alternate stack that the kernel takes.
static inline size_t smallest_sigaltstack(void) {
    size_t size = getauxval(AT_MINSIGSTKSZ);
    return size == 0 ? 2048 : size;
}

#endif
