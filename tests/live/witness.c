// A library that walks the stack of the thread that a signal has interrupted, by libgcc, while a
// tracer looks on. It stops with its answer in rax, at a breakpoint; one thread at a time is asked.
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unwind.h>

enum { ROOM = 8192, ALTERNATE_STACK = 1 << 20 };

static struct {
    uint64_t frames;
    // libgcc knows nothing about the code of the last frame.
    uint64_t is_cut;
    // Program counters, with the highest bit set where they are exact.
    uint64_t pcs[ROOM];
} answer;

static _Unwind_Reason_Code push(struct _Unwind_Context *context, void *unused) {
    (void)unused;
    int is_exact = 0;
    uint64_t pc = _Unwind_GetIPInfo(context, &is_exact);
    if (pc != 0 && answer.frames < ROOM)
        answer.pcs[answer.frames++] = pc | (uint64_t)(is_exact != 0) << 63;
    return _URC_NO_REASON;
}

static int is_covered(uint64_t pc) {
    // It is asked about return addresses, and looks one byte lower.
    uint64_t after = (pc & ~(1ull << 63)) + (pc >> 63);
    return _Unwind_FindEnclosingFunction((void *)after) != 0;
}

static void testify(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    answer.frames = 0;
    _Unwind_Backtrace(push, 0);
    answer.is_cut = !is_covered(answer.pcs[answer.frames - 1]);
    __asm__ volatile("int3" : : "a"(&answer) : "memory");
}

__attribute__((constructor)) static void begin(void) {
    // What is on the stack below the interrupted frame stays as it was.
    void *memory = mmap(0, ALTERNATE_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = memory, .ss_size = ALTERNATE_STACK};
    sigaltstack(&stack, 0);
    _Unwind_Backtrace(push, 0); // it makes itself ready at its first use
    struct sigaction action = {.sa_sigaction = testify, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigfillset(&action.sa_mask);
    const int synchronous[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (unsigned i = 0; i < sizeof synchronous / sizeof *synchronous; i++)
        sigdelset(&action.sa_mask, synchronous[i]);
    sigaction(WITNESS, &action, 0);
}
