// short_threads FACTOR: 10,000 threads that do next to nothing, joined or detached, eight at a time.
#include <pthread.h>
#include <semaphore.h>

#include "torture.h"

enum { THREADS = 10000, AT_ONCE = 8 };

static sem_t places;
static uint64_t sum;

static void *run(void *argument) {
    uint64_t x = compute((uint64_t)(uintptr_t)argument, 10) & 0xffff;
    __atomic_add_fetch(&sum, x, __ATOMIC_RELAXED);
    sem_post(&places);
    return NULL;
}

static void take_place(void) {
    while (sem_wait(&places) != 0) {
    }
}

int main(int argc, char **argv) {
    int threads = THREADS * begin(argc, argv);
    sem_init(&places, 0, AT_ONCE);
    for (uintptr_t i = 0; i < (uintptr_t)threads; i++) {
        pthread_t thread;
        take_place();
        // With so many, a thread that has ended may still hold its stack for a moment.
        while (pthread_create(&thread, NULL, run, (void *)i) != 0)
            usleep(100);
        if (i % 4 == 0)
            pthread_join(thread, NULL);
        else
            pthread_detach(thread);
    }
    for (int k = 0; k < AT_ONCE; k++)
        take_place();
    return end(sum);
}
