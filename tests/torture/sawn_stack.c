// sawn_stack FACTOR: stacks that lose their upper end while a fiber stands on them.
//
// The fiber never returns to what was there, so it does not miss it. The upper end is unmapped, made
// inaccessible, or replaced. All fibers have their stack at the same address, which so is known
// for a long time as that of a whole stack.
#include <ucontext.h>

#include "stacks.h"
#include "torture.h"

enum { FIBERS = 24, SIZE = 64 * PAGE, KEPT = 32 * PAGE, ROUNDS = 6000 };

static ucontext_t home, fiber;
static char *stack;
static uint64_t sum;
static int way;

static void saw(char *upper, size_t size) {
    if (way == 0)
        munmap(upper, size);
    else if (way == 1)
        mprotect(upper, size, PROT_NONE);
    else
        mmap(upper, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static NEVER_INLINED void descend(void) {
    volatile char frame[1000];
    if ((char *)frame > stack + KEPT - 4 * PAGE) {
        descend();
        __asm__ volatile("" ::"r"(frame) : "memory");
        return;
    }
    sum = mix(sum, compute(sum, ROUNDS));
    saw(stack + KEPT, SIZE - KEPT);
    sum = mix(sum, compute(sum, ROUNDS));
    setcontext(&home);
}

static void run_fiber(void) {
    volatile int returned = 0;
    getcontext(&home);
    if (returned)
        return;
    returned = 1;
    getcontext(&fiber);
    fiber.uc_stack.ss_sp = stack;
    fiber.uc_stack.ss_size = SIZE;
    fiber.uc_link = NULL;
    makecontext(&fiber, descend, 0);
    setcontext(&fiber);
}

int main(int argc, char **argv) {
    int fibers = FIBERS * begin(argc, argv);
    stack = map_guarded(SIZE);
    for (int i = 0; i < fibers; i++) {
        way = i % 3;
        run_fiber();
        mmap(stack, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
    return end(sum);
}
