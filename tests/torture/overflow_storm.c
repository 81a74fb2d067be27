// overflow_storm FACTOR: overflows its stacks again and again, on the main thread and on two others;
// a SIGSEGV handler on an alternate stack of 16 KiB jumps out of it each time.
#include <pthread.h>
#include <setjmp.h>

#include "stacks.h"
#include "torture.h"

enum { THREADS = 2, OVERFLOWS = 120, MAIN_OVERFLOWS = 4, ALTERNATE = 16384, THREAD_STACK = 262144 };

static int factor;
static __thread sigjmp_buf way_out;
static __thread uint64_t overflows;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    overflows++;
    siglongjmp(way_out, 1);
}

static NEVER_INLINED uint64_t descend(uint64_t depth) {
    volatile uint64_t frame[20];
    frame[depth % 20] = compute(depth, 1);
    return descend(depth + 1) + frame[depth % 20];
}

static uint64_t overflow(int count) {
    char *memory = map_guarded(ALTERNATE);
    stack_t stack = {memory, 0, ALTERNATE}, none = {NULL, SS_DISABLE, 0};
    sigaltstack(&stack, NULL);
    for (volatile int i = 0; i < count; i++)
        if (sigsetjmp(way_out, 1) == 0)
            descend(1);
    sigaltstack(&none, NULL);
    unmap_guarded(memory, ALTERNATE);
    return overflows;
}

static void *run(void *argument) {
    *(uint64_t *)argument = overflow(OVERFLOWS * factor);
    return NULL;
}

int main(int argc, char **argv) {
    factor = begin(argc, argv);
    handle(SIGSEGV, on_fault, SA_ONSTACK);
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    uint64_t counts[THREADS];
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    for (int k = 0; k < THREADS; k++)
        pthread_create(&threads[k], &attributes, run, &counts[k]);
    uint64_t checksum = overflow(MAIN_OVERFLOWS * factor);
    for (int k = 0; k < THREADS; k++) {
        pthread_join(threads[k], NULL);
        checksum = mix(checksum, counts[k]);
    }
    return end(checksum);
}
