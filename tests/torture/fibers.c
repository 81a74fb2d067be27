// fibers FACTOR: two threads switch between fibers of 16 KiB with guard pages; fibers end, and their
// stacks are unmapped and come back elsewhere.
#include <pthread.h>
#include <ucontext.h>

#include "stacks.h"
#include "torture.h"

enum { THREADS = 2, FIBERS = 12, SWITCHES = 20000, SIZE = 4 * PAGE };

struct fiber {
    ucontext_t context;
    char *stack;
    uint64_t sum;
    int turns_left;
};

static int switches;
static __thread ucontext_t scheduler;
static __thread struct fiber *current;

static struct fiber *self(void) {
    __asm__ volatile("" ::: "memory");  // another thread may have it after a switch
    return current;
}

static NEVER_INLINED void turn(int depth) {
    volatile char frame[64];
    frame[0] = 1;
    if (depth > 0)
        turn(depth - 1);
    else {
        struct fiber *fiber = self();
        fiber->sum = mix(fiber->sum, compute(fiber->sum, 8));
        swapcontext(&fiber->context, &scheduler);
    }
    __asm__ volatile("" ::"r"(frame) : "memory");
}

static void body(void) {
    while (self()->turns_left-- > 0)
        turn(self()->turns_left % 12);
}

static void begin_fiber(struct fiber *fiber, int turns) {
    fiber->stack = map_guarded(SIZE);
    fiber->turns_left = turns;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = SIZE;
    fiber->context.uc_link = &scheduler;
    makecontext(&fiber->context, body, 0);
}

static void *run(void *argument) {
    static __thread struct fiber fibers[FIBERS];
    for (int i = 0; i < switches; i++) {
        struct fiber *fiber = &fibers[i % FIBERS];
        if (fiber->stack == NULL)
            begin_fiber(fiber, 1 + i % 40);
        current = fiber;
        swapcontext(&scheduler, &fiber->context);
        if (fiber->turns_left < 0) {
            unmap_guarded(fiber->stack, SIZE);
            fiber->stack = NULL;
        }
    }
    for (int k = 0; k < FIBERS; k++)
        *(uint64_t *)argument = mix(*(uint64_t *)argument, fibers[k].sum);
    return NULL;
}

int main(int argc, char **argv) {
    switches = SWITCHES * begin(argc, argv);
    pthread_t threads[THREADS];
    uint64_t sums[THREADS] = {1, 2};
    for (int k = 0; k < THREADS; k++)
        pthread_create(&threads[k], NULL, run, &sums[k]);
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
    return end(mix(sums[0], sums[1]));
}
