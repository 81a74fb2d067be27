// confined FACTOR RESTRICTION...: takes rights away from itself while its threads run, and goes on
// with threads and deep stacks. Says what it cannot do then.
#include <fcntl.h>
#include <pthread.h>

#include "confine.h"
#include "torture.h"

enum { THREADS = 4, ROUNDS = 80 };

static pthread_barrier_t barrier;
static int rounds;

static NEVER_INLINED uint64_t descend(uint64_t x, int depth) {
    volatile char frame[300];
    frame[0] = (char)depth;
    x = depth == 0 ? compute(x, 200) : descend(x, depth - 1);
    return x + (uint64_t)frame[0];
}

static void *run(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < rounds; i++)
        *sum = mix(*sum, descend(*sum, i % 50));
    return NULL;
}

static void *run_before_and_after(void *argument) {
    run(argument);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return run(argument);
}

static void start(pthread_t *threads, void *(*function)(void *), uint64_t *sums) {
    for (int k = 0; k < THREADS; k++)
        pthread_create(&threads[k], NULL, function, &sums[k]);
}

static void join(pthread_t *threads) {
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
}

int main(int argc, char **argv) {
    rounds = ROUNDS * begin(argc, argv);
    pthread_t old[THREADS], young[THREADS];
    uint64_t sums[2 * THREADS] = {1, 2, 3, 4, 5, 6, 7, 8}, checksum = 0;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    start(old, run_before_and_after, sums);
    pthread_barrier_wait(&barrier);
    for (int i = 2; i < argc; i++)
        confine(argv[i]);
    pthread_barrier_wait(&barrier);
    start(young, run, sums + THREADS);
    join(old);
    join(young);
    errno = 0;
    printf("open %d", open("/dev/null", O_RDONLY));
    printf(" %s\n", strerror(errno));
    for (int k = 0; k < 2 * THREADS; k++)
        checksum = mix(checksum, sums[k]);
    return end(checksum);
}
