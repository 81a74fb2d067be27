// Calls of all kinds that C has: recursion, callbacks, tail calls, frames whose size is known at run
// time only, realigned stacks, variadic functions, jumps out of calls, handlers on either stack,
// coroutines, and the C library's assembly.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define NEVER_INLINED __attribute__((noinline))

typedef uint64_t function_t(uint64_t);

static volatile uint64_t sink;

NEVER_INLINED static uint64_t leaf(uint64_t x) { return x * 6364136223846793005u + 1; }

NEVER_INLINED static uint64_t recurse(uint64_t x, int depth) {
    return depth == 0 ? leaf(x) : recurse(leaf(x), depth - 1) + 1;
}

NEVER_INLINED static uint64_t tail(uint64_t x) { return leaf(x + 1); }

NEVER_INLINED static uint64_t through(function_t *function, uint64_t x) { return function(x) ^ x; }

// A frame of a size that is known at run time, which is kept with a frame pointer.
NEVER_INLINED static uint64_t sized(uint64_t x, size_t size) {
    volatile char bytes[size];
    bytes[size - 1] = (char)x;
    return leaf(x) + (uint64_t)bytes[size - 1];
}

// The stack is realigned for the variable.
NEVER_INLINED static uint64_t aligned(uint64_t x) {
    volatile uint64_t words[8] __attribute__((aligned(64)));
    words[x & 7] = leaf(x);
    return through(leaf, words[x & 7]);
}

NEVER_INLINED static uint64_t aligned_and_sized(uint64_t x, size_t size) {
    volatile uint64_t words[8] __attribute__((aligned(64)));
    volatile char bytes[size];
    words[x & 7] = leaf(x);
    bytes[size / 2] = (char)x;
    return through(leaf, words[x & 7]) + (uint64_t)bytes[size / 2];
}

NEVER_INLINED static uint64_t variadic(int count, ...) {
    va_list list;
    uint64_t sum = 0;
    va_start(list, count);
    for (int i = 0; i < count; i++)
        sum += leaf(va_arg(list, uint64_t));
    va_end(list);
    return sum;
}

struct large {
    uint64_t words[20];
};

NEVER_INLINED static struct large returns_much(uint64_t x) {
    struct large large;
    for (int i = 0; i < 20; i++)
        large.words[i] = leaf(x + (uint64_t)i);
    return large;
}

NEVER_INLINED static uint64_t many(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                   uint64_t f, uint64_t g, uint64_t h, uint64_t i) {
    return leaf(a ^ b) + leaf(c ^ d) + leaf(e ^ f) + leaf(g ^ h) + i;
}

static jmp_buf place;

NEVER_INLINED static void jump(int depth) {
    if (depth == 0)
        longjmp(place, 1);
    jump(depth - 1);
    sink++;
}

NEVER_INLINED static uint64_t jumps(uint64_t x) {
    if (setjmp(place) == 0)
        jump(5);
    return leaf(x);
}

static int compare(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

NEVER_INLINED static uint64_t sorts(uint64_t x) {
    uint64_t words[40];
    for (int i = 0; i < 40; i++)
        words[i] = x = leaf(x);
    qsort(words, 40, sizeof *words, compare);
    return words[7];
}

NEVER_INLINED static uint64_t copies(uint64_t x) {
    static char from[3000], to[3000];
    for (size_t size = 1; size < sizeof from; size = size * 2 + 1) {
        memset(from, (int)x | 1, size);
        from[size] = 0;
        memcpy(to, from, size + 1);
        memmove(to + 1, to, size);
        x += strlen(to) + (uint64_t)memcmp(from, to, size) + (strchr(to, 'x') != NULL);
    }
    return x;
}

NEVER_INLINED static uint64_t allocates(uint64_t x) {
    void *pieces[8];
    for (size_t i = 0; i < 8; i++)
        pieces[i] = malloc(100 * i * i + 1);
    pieces[3] = realloc(pieces[3], 5000);
    for (size_t i = 0; i < 8; i++)
        free(pieces[i]);
    return leaf(x);
}

static void handler(int signal) { sink += recurse((uint64_t)signal, 3); }

static void handler_with_info(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    sink += through(tail, (uint64_t)signal);
}

static void handler_that_jumps(int signal) {
    (void)signal;
    siglongjmp(place, 1);
}

NEVER_INLINED static uint64_t interrupted(uint64_t x, int number) {
    raise(number);
    return leaf(x);
}

NEVER_INLINED static uint64_t jumps_from_a_handler(uint64_t x) {
    if (sigsetjmp(place, 1) == 0)
        interrupted(x, SIGALRM);
    return leaf(x);
}

static void *new_stack(size_t size) {
    char *map = mmap(NULL, size + 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(map, 4096, PROT_NONE);
    mprotect(map + 4096 + size, 4096, PROT_NONE);
    return map + 4096;
}

static ucontext_t outside, inside;

static void coroutine(void) {
    for (int i = 0; i < 3; i++) {
        sink += recurse((uint64_t)i, i);
        swapcontext(&inside, &outside);
    }
}

NEVER_INLINED static uint64_t switches(uint64_t x) {
    getcontext(&inside);
    inside.uc_stack.ss_sp = new_stack(1 << 16);
    inside.uc_stack.ss_size = 1 << 16;
    inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    for (int i = 0; i < 4; i++)
        swapcontext(&outside, &inside);
    return leaf(x);
}

static void handle(int number, int flags, void (*action)(int)) {
    struct sigaction sigaction_ = {.sa_flags = flags};
    sigaction_.sa_handler = action;
    sigaction(number, &sigaction_, NULL);
}

int main(void) {
    stack_t stack = {.ss_size = 1 << 16};
    stack.ss_sp = new_stack(stack.ss_size);
    sigaltstack(&stack, NULL);
    handle(SIGUSR1, 0, handler);
    handle(SIGUSR2, SA_ONSTACK, handler);
    handle(SIGALRM, SA_ONSTACK, handler_that_jumps);
    struct sigaction with_info = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    with_info.sa_sigaction = handler_with_info;
    sigaction(SIGURG, &with_info, NULL);

    uint64_t x = 1;
    for (uint64_t round = 0; round < 3; round++) {
        x ^= recurse(x, 10) + tail(x) + through(tail, x) + sized(x, 100 + round * 1000);
        x ^= aligned(x) + aligned_and_sized(x, 300) + variadic(3, x, x + 1, x + 2);
        x ^= returns_much(x).words[3] + many(1, 2, 3, 4, 5, 6, 7, 8, x);
        x ^= jumps(x) + jumps_from_a_handler(x) + sorts(x) + copies(x) + allocates(x);
        x ^= interrupted(x, SIGUSR1) + interrupted(x, SIGUSR2) + interrupted(x, SIGURG);
        x ^= switches(x);
        printf("%llx %g\n", (unsigned long long)x, (double)x / 3);
    }
    return (int)(sink & 1) + 3;
}
