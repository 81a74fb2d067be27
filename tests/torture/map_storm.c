// map_storm FACTOR: threads map, protect and unmap memory: plain pages, pages that look like stacks,
// code that they write themselves, and whole stacks of threads.
#include <pthread.h>

#include "stacks.h"
#include "torture.h"

enum { ROUNDS = 2500, CODE_ROUNDS = 1200, THREADS_ON_MAPS = 150, ON_A_MAP = 32 * PAGE };

static int factor;

static void *plain(void *argument) {
    uint64_t *sum = argument, random = *sum;
    for (int i = 0; i < ROUNDS * factor; i++) {
        size_t size = PAGE * (1 + next_random(&random) % 32);
        int looks = i % 3 == 0 ? MAP_STACK | MAP_GROWSDOWN : i % 3 == 1 ? MAP_STACK : 0;
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | looks,
                            -1, 0);
        memory[size - 1] = (char)i;
        memory[0] = (char)i;
        mprotect(memory, PAGE, PROT_NONE);
        mprotect(memory, PAGE, PROT_READ | PROT_EXEC);
        if (i % 2 == 0)
            madvise(memory, size, MADV_DONTNEED);
        *sum = mix(*sum, (uint64_t)memory[0] + (uint64_t)memory[size - 1]);
        munmap(memory, size);
    }
    return NULL;
}

// mov ecx, loops; again: dec ecx; jnz again; mov eax, result; ret
static uint32_t run_new_code(int32_t loops, int32_t result) {
    unsigned char code[] = {0xb9, 0, 0, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xb8, 0, 0, 0, 0, 0xc3};
    memcpy(code + 1, &loops, 4);
    memcpy(code + 10, &result, 4);
    char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *start = memory + PAGE - 4;  // half of it in the next page
    memcpy(start, code, sizeof code);
    mprotect(memory, 2 * PAGE, PROT_READ | PROT_EXEC);
    uint32_t (*function)(void) = (uint32_t (*)(void))(uintptr_t)start;
    uint32_t got = function();
    munmap(memory, 2 * PAGE);
    return got;
}

static void *code(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < CODE_ROUNDS * factor; i++)
        *sum = mix(*sum, run_new_code(60000 + i, i * 7));
    return NULL;
}

static void *on_a_map(void *argument) {
    *(uint64_t *)argument = compute(*(uint64_t *)argument, 300);
    return NULL;
}

// Each thread's stack is gone as soon as it is; the next one may begin anywhere in the same place.
static void *threads(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < THREADS_ON_MAPS * factor; i++) {
        size_t size = (size_t)ON_A_MAP + PAGE * (size_t)(i % 9);
        char *memory = map_guarded(size);
        pthread_attr_t attributes;
        pthread_t thread;
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, memory, size);
        pthread_create(&thread, &attributes, on_a_map, sum);
        pthread_join(thread, NULL);
        unmap_guarded(memory, size);
    }
    return NULL;
}

int main(int argc, char **argv) {
    factor = begin(argc, argv);
    void *(*functions[])(void *) = {plain, plain, code, threads};
    pthread_t running[4];
    uint64_t sums[4] = {1, 2, 3, 4}, checksum = 0;
    for (int k = 0; k < 4; k++)
        pthread_create(&running[k], NULL, functions[k], &sums[k]);
    for (int k = 0; k < 4; k++) {
        pthread_join(running[k], NULL);
        checksum = mix(checksum, sums[k]);
    }
    return end(checksum);
}
