// malloc_storm FACTOR: four threads allocate, resize and free blocks of all sizes, check what is in
// them, and free blocks of one another.
#include <pthread.h>

#include "torture.h"

enum { THREADS = 4, SLOTS = 128, STEPS = 300000 };

struct block {
    unsigned char *bytes;
    size_t size;
};

static struct block handed_over[THREADS][SLOTS];

static struct block allocated(uint64_t *random) {
    size_t most = next_random(random) % 50 == 0 ? 300000 : 600;
    struct block block = {NULL, 1 + next_random(random) % most};
    block.bytes = malloc(block.size);
    block.bytes[0] = block.bytes[block.size - 1] = (unsigned char)block.size;
    return block;
}

static uint64_t checked(struct block block) {
    int whole = block.bytes[0] == (unsigned char)block.size &&
                block.bytes[block.size - 1] == (unsigned char)block.size;
    return whole ? block.size : 0;
}

static void resize(struct block *block, uint64_t *random) {
    block->size = 1 + next_random(random) % (2 * block->size);
    block->bytes = realloc(block->bytes, block->size);
    block->bytes[0] = block->bytes[block->size - 1] = (unsigned char)block->size;
}

static void *run(void *argument) {
    uint64_t number = *(uint64_t *)argument, random = number + 1, sum = 0;
    int steps = (int)(number >> 32) * STEPS;
    struct block *blocks = handed_over[(uint32_t)number];
    for (int i = 0; i < steps; i++) {
        struct block *block = &blocks[next_random(&random) % SLOTS];
        if (block->bytes == NULL)
            *block = allocated(&random);
        else if (next_random(&random) % 3 == 0)
            resize(block, &random);
        else {
            sum = mix(sum, checked(*block));
            free(block->bytes);
            block->bytes = NULL;
        }
    }
    *(uint64_t *)argument = sum;
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t factor = (uint64_t)begin(argc, argv), checksum = 0, numbers[THREADS];
    for (int round = 0; round < 2; round++) {
        pthread_t threads[THREADS];
        for (uint64_t k = 0; k < THREADS; k++) {
            numbers[k] = factor << 32 | (k + (uint64_t)round) % THREADS;
            pthread_create(&threads[k], NULL, run, &numbers[k]);
        }
        for (int k = 0; k < THREADS; k++) {
            pthread_join(threads[k], NULL);
            checksum = mix(checksum, numbers[k]);
        }
    }
    return end(checksum);
}
