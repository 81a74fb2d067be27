// own_stack FACTOR: has an alternate stack of 8 KiB for its SIGSEGV, as programs in Rust do, and a
// SIGPROF handler that did not ask for that stack and needs 32 KiB.
#include "stacks.h"
#include "torture.h"

enum { SIGNALS = 2000, ALTERNATE = 8192, NEEDED = 32768 };

static volatile uint64_t handled;

static void on_sigprof(int signal, siginfo_t *info, void *context) {
    volatile char frame[NEEDED];
    for (int i = NEEDED - 1; i >= 0; i -= 512)
        frame[i] = (char)i;
    torture_on_sigprof(signal, info, context);
    handled += (unsigned char)frame[511];
}

int main(int argc, char **argv) {
    char *memory = map_guarded(ALTERNATE);
    stack_t stack = {memory, 0, ALTERNATE};
    sigaltstack(&stack, NULL);
    handle(SIGPROF, on_sigprof, SA_RESTART);
    ready();
    int signals = SIGNALS * (argc > 1 ? atoi(argv[1]) : 1);
    uint64_t sum = 1;
    for (int i = 0; i < signals; i++) {
        raise(SIGPROF);
        sum = mix(sum, compute(sum, 100));
    }
    printf("handled %d\n", handled >= (uint64_t)signals * 255);
    return end(sum);
}
