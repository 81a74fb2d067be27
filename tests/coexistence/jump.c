// jump: two threads switch between fibers on stacks of 16 KiB by hand-written assembly that, like
// Boost.Context, has no unwind information. A fiber may go on in the other thread.
//
// Each fiber has a sum that depends on nothing but the order of its own steps. Prints the sums, and
// `burnt ns`: the CPU time in `work`.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../programs/cpu.h"

enum { FIBERS = 64, STEPS = 40, STACK = 16384, THREADS = 2, STEP_NS = 500000 };

// Saves the registers of the caller on its stack, leaves its stack pointer in *from, and goes on
// where `to` points.
void jump(void **from, void *to);
__asm__(
    ".text\n.globl jump\n.type jump, @function\njump:\n"
    "\tpush %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n"
    "\tmov %rsp, (%rdi)\n\tmov %rsi, %rsp\n"
    "\tpop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n"
    "\tret\n.size jump, . - jump\n");

struct fiber {
    void *stack_pointer;
    void **thread;
    uint64_t sum, burnt;
    int steps;
    _Alignas(16) char stack[STACK];
};

static struct fiber *fibers;
static struct fiber *ready[FIBERS];
static int ready_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread struct fiber *current;

NEVER_INLINED uint64_t work(uint64_t ns) { BURN(ns, 11); }

static NEVER_INLINED struct fiber *self(void) {
    __asm__ volatile("" ::: "memory");
    return current;
}

static void body(void) {
    struct fiber *fiber = self();
    for (; fiber->steps < STEPS; fiber->steps++) {
        fiber->burnt += work(STEP_NS);
        fiber->sum = fiber->sum * 6364136223846793005u + (uint64_t)fiber->steps;
        jump(&fiber->stack_pointer, *fiber->thread);
    }
    jump(&fiber->stack_pointer, *fiber->thread);
    abort();
}

static void begin(struct fiber *fiber, uint64_t sum) {
    void **top = (void **)(fiber->stack + STACK) - 1;
    *top = NULL;              // where `body` would return to
    *--top = (void *)body;    // where `jump` returns to
    fiber->stack_pointer = top - 6;
    fiber->sum = sum;
}

static struct fiber *take(void) {
    pthread_mutex_lock(&lock);
    struct fiber *fiber = ready_count > 0 ? ready[--ready_count] : NULL;
    pthread_mutex_unlock(&lock);
    return fiber;
}

static void put_back(struct fiber *fiber) {
    pthread_mutex_lock(&lock);
    for (int i = ready_count++; i > 0; i--)
        ready[i] = ready[i - 1];
    ready[0] = fiber;
    pthread_mutex_unlock(&lock);
}

static void *run(void *argument) {
    void *own;
    struct fiber *fiber;
    while ((fiber = take()) != NULL) {
        current = fiber;
        fiber->thread = &own;
        jump(&own, fiber->stack_pointer);
        if (fiber->steps < STEPS)
            put_back(fiber);
    }
    return argument;
}

int main(void) {
    pthread_t threads[THREADS];
    uint64_t burnt = 0;
    fibers = calloc(FIBERS, sizeof *fibers);
    for (int i = 0; i < FIBERS; i++) {
        begin(&fibers[i], (uint64_t)i);
        ready[ready_count++] = &fibers[i];
    }
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, run, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < FIBERS; i++) {
        printf("fiber %d %d %llx\n", i, fibers[i].steps, (unsigned long long)fibers[i].sum);
        burnt += fibers[i].burnt;
    }
    printf("burnt %llu\n", (unsigned long long)burnt);
    return 0;
}
