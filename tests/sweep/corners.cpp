// corners PLUGIN [start]: visits places where stacks, threads and programs begin and end in unusual
// ways, each between two marks; see victim.cpp. At the end it executes itself with `start`.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "../programs/cpu.h"
#include "marks.h"

NEVER_INLINED static uint64_t burn_until_ticked(uint64_t ns) { BURN(ns, 11); }

static volatile sig_atomic_t handled;

static void handle(int) { handled = handled * 3 + 1; }

// The way into a handler of the program's own and out of it, and calls that change masks.
static uint64_t signals() {
    struct sigaction action = {}, before = {};
    sigset_t set, old;
    action.sa_handler = handle;
    begin("sigaction and sigprocmask");
    sigaction(SIGUSR1, &action, &before);
    signal(SIGUSR2, handle);
    signal(SIGPROF, SIG_IGN);
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &old);
    raise(SIGUSR1);
    sigprocmask(SIG_SETMASK, &old, nullptr);
    end();
    begin("a signal handler");
    raise(SIGUSR2);
    end();
    return static_cast<uint64_t>(handled);
}

static ucontext_t outside, inside;
static uint64_t switches;

static void coroutine() {
    for (int i = 0; i < 3; i++) {
        switches = switches * 5 + 1;
        swapcontext(&inside, &outside);
    }
}

// A stack that lies in the heap.
static uint64_t contexts() {
    static char stack[32768];
    begin("swapcontext");
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack;
    inside.uc_stack.ss_size = sizeof stack;
    inside.uc_link = &outside;
    makecontext(&inside, coroutine, 0);
    for (int i = 0; i < 4; i++)
        swapcontext(&outside, &inside);
    end();
    return switches;
}

static uint64_t cleaned;

static void clean(void *) { cleaned = cleaned * 7 + 3; }

static void *wait_for_end(void *) {
    pthread_cleanup_push(clean, nullptr);
    begin("a thread that is cancelled");
    for (;;)
        pthread_testcancel();
    pthread_cleanup_pop(0);
    return nullptr;
}

static uint64_t cancelled() {
    pthread_t thread;
    void *value;
    pthread_create(&thread, nullptr, wait_for_end, nullptr);
    usleep(20000);
    pthread_cancel(thread);
    pthread_join(thread, &value);
    return cleaned + (value == PTHREAD_CANCELED);
}

// Thread-local storage of a library that was loaded later: the first use allocates.
static uint64_t thread_local_storage(const char *plugin) {
    void *handle = dlopen(plugin, RTLD_NOW);
    if (handle == nullptr)
        return 0;
    auto count = reinterpret_cast<int (*)()>(dlsym(handle, "plugin_count"));
    begin("__tls_get_addr");
    int counted = count();
    counted += count();
    end();
    return static_cast<uint64_t>(counted);
}

static int compared(const void *a, const void *b) {
    return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

static uint64_t printed() {
    int numbers[] = {5, 3, 9, 1, 7, 2, 8};
    char text[100];
    begin("qsort and snprintf");
    qsort(numbers, 7, sizeof *numbers, compared);
    int length = snprintf(text, sizeof text, "%d %s %.3f %p", numbers[3], "text", 1.5, nullptr);
    end();
    return mixed(mixed(1, numbers, sizeof numbers), text, static_cast<size_t>(length));
}

// The least alternate stack that the kernel takes, with room for a call or two, and a guard below:
// every tick uses it.
static uint64_t small_alternate_stack() {
    const size_t page = 4096, size = getauxval(AT_MINSIGSTKSZ) + 1024;
    const size_t pages = (size + page - 1) & ~(page - 1);
    auto base = static_cast<char *>(mmap(nullptr, pages + page, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base, page, PROT_NONE);
    stack_t stack = {}, none = {};
    stack.ss_sp = base + page;
    stack.ss_size = size;
    none.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
    begin("a small alternate stack");
    char *block = static_cast<char *>(malloc(100));
    strcpy(block, "all of this while ticks use another stack");
    uint64_t sum = mixed(1, block, strlen(block));
    free(block);
    end();
    sigaltstack(&none, nullptr);
    munmap(base, pages + page);
    return sum;
}

int main(int argc, char **argv) {
    if (argc == 3)
        end();
    result("start", static_cast<uint64_t>(argc));
    if (argc != 2)
        return 7;
    burn_until_ticked(250000000);
    result("alternate stack", small_alternate_stack());
    result("contexts", contexts());
    result("printed", printed());
    result("thread-local", thread_local_storage(argv[1]));
    result("cancelled", cancelled());
    result("signals", signals());
    mark(BEGIN, "the start of a program", NEXT_PROGRAM);
    begin("exec");
    execl(argv[0], argv[0], argv[1], "start", nullptr);
    return 1;
}
