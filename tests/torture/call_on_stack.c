// call_on_stack FACTOR: calls functions on stacks of its own, from the very top, as coroutines and
// interpreters do; then makes the stack shorter, in place, and does it again.
//
// The caller's frame is on another stack, which unwind information cannot say. Whoever follows it
// looks above the top, where nothing is mapped.
#include "stacks.h"
#include "torture.h"

enum { CALLS = 20, LONG = 32 * PAGE, SHORT = 4 * PAGE, ROUNDS = 6000 };

static uint64_t sum;

static NEVER_INLINED void work(void) { sum = mix(sum, compute(sum, ROUNDS)); }

static NEVER_INLINED void call_on(char *top) {
    __asm__ volatile(
        "mov %%rsp, %%rbx\n\t"
        "mov %[top], %%rsp\n\t"
        "call *%[work]\n\t"
        "mov %%rbx, %%rsp"
        :
        : [top] "r"(top), [work] "r"(work)
        : "rbx", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

int main(int argc, char **argv) {
    int calls = CALLS * begin(argc, argv);
    char *stack = map_guarded(LONG);
    for (int i = 0; i < calls; i++) {
        mprotect(stack, LONG, PROT_READ | PROT_WRITE);
        call_on(stack + LONG);
        call_on(stack + SHORT);
        mprotect(stack + SHORT, LONG - SHORT, PROT_NONE);
        call_on(stack + SHORT);
    }
    return end(sum);
}
