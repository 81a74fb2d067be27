// jump_storm FACTOR: longjmp over deep stacks and siglongjmp out of handlers, in three threads.
#include <pthread.h>
#include <setjmp.h>

#include "torture.h"

enum { JUMPS = 14000 };

static int jumps;
static __thread sigjmp_buf out_of_handler;
static __thread jmp_buf out_of_calls;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    siglongjmp(out_of_handler, signal);
}

static NEVER_INLINED void descend(int depth, int value) {
    volatile char frame[100];
    frame[0] = (char)depth;
    if (depth == 0)
        longjmp(out_of_calls, (int)(compute((uint64_t)value, 3) & 0xffff) + 1);
    descend(depth - 1, value);
    __asm__ volatile("" ::"r"(frame) : "memory");
}

static NEVER_INLINED uint64_t jump_out_of_calls(int i) {
    int value = setjmp(out_of_calls);
    if (value == 0)
        descend(i % 60, i);
    return (uint64_t)value;
}

static NEVER_INLINED uint64_t jump_out_of_handler(int i) {
    int value = sigsetjmp(out_of_handler, 1);
    if (value == 0)
        pthread_kill(pthread_self(), i % 2 == 0 ? SIGUSR1 : SIGUSR2);
    return (uint64_t)value;
}

static NEVER_INLINED uint64_t mask_after(void) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    uint64_t bits = 0;
    for (int signal = 1; signal < 64; signal++)
        bits |= (uint64_t)(sigismember(&mask, signal) == 1) << signal;
    return bits;
}

static void *run(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < jumps; i++) {
        *sum = mix(*sum, jump_out_of_calls(i));
        *sum = mix(*sum, jump_out_of_handler(i));
        *sum = mix(*sum, mask_after());
    }
    return NULL;
}

int main(int argc, char **argv) {
    jumps = JUMPS * begin(argc, argv);
    handle(SIGUSR1, on_signal, 0);
    handle(SIGUSR2, on_signal, SA_NODEFER);
    return end(in_three_threads(run));
}
