// victim PLUGIN: visits the delicate places of the C library, each between two marks.
//
// First some CPU time is burned, so that a tracer can see a genuine tick. Prints one line a region,
// with a checksum of what was computed there; exits with 7.
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "../programs/cpu.h"
#include "marks.h"

static size_t resized(size_t size) { return size < 1000 ? size * 3 : size / 2; }

// The heap: small and large blocks, from bins and from the kernel, grown in place and moved.
static uint64_t heap() {
    static const size_t sizes[] = {1, 24, 25, 100, 1000, 1100, 5000, 70000, 200000, 3000000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    char *blocks[COUNT];
    uint64_t sum = 1;
    begin("malloc");
    for (int i = 0; i < COUNT; i++)
        blocks[i] = static_cast<char *>(malloc(sizes[i]));
    end();
    for (int i = 0; i < COUNT; i++)
        memset(blocks[i], i + 1, sizes[i]);
    begin("realloc");
    for (int i = 0; i < COUNT; i++)
        blocks[i] = static_cast<char *>(realloc(blocks[i], resized(sizes[i])));
    end();
    for (int i = 0; i < COUNT; i++)
        sum = mixed(sum, blocks[i], sizes[i] < 1000 ? sizes[i] : sizes[i] / 2);
    begin("free");
    for (int i = 0; i < COUNT; i += 2)
        free(blocks[i]);
    for (int i = 1; i < COUNT; i += 2)
        free(blocks[i]);
    end();
    return sum;
}

static uint64_t copies() {
    static const size_t sizes[] = {0,   1,   7,   8,   15,  16,   31,   33,   64,   100,
                                   128, 200, 256, 300, 600, 1500, 4000, 9000, 40000};
    static unsigned char from[48000], to[48000];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = static_cast<unsigned char>(i * 7 + (i >> 8));
    begin("memcpy");
    for (size_t size : sizes)
        memcpy(to + size / 8, from + 1, size);
    end();
    begin("memmove");
    for (size_t size : sizes) {
        memmove(to + 9, to, size);
        memmove(to, to + 5, size);
    }
    end();
    return mixed(1, to, sizeof to);
}

static uint64_t jumps() {
    static jmp_buf there;
    static sigjmp_buf there_with_mask;
    volatile int count = 0;
    begin("setjmp");
    if (setjmp(there) < 3)
        longjmp(there, ++count);
    if (sigsetjmp(there_with_mask, 1) < 3)
        siglongjmp(there_with_mask, ++count - 3);
    end();
    return static_cast<uint64_t>(count);
}

static int64_t nanoseconds(const timespec &time) {
    return time.tv_sec * int64_t{1000000000} + time.tv_nsec;
}

static uint64_t clocks() {
    timespec times[4];
    uint64_t ordered = 0;
    begin("clock_gettime");
    for (timespec &time : times)
        clock_gettime(CLOCK_MONOTONIC, &time);
    clock_gettime(CLOCK_REALTIME, &times[0]);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &times[0]);
    end();
    for (int i = 2; i < 4; i++)
        ordered += nanoseconds(times[i - 1]) <= nanoseconds(times[i]);
    return ordered;
}

struct Guard {
    uint64_t &sum;
    ~Guard() { sum = sum * 31 + 5; }
};

NEVER_INLINED static void throw_below(int levels, uint64_t &sum) {
    Guard guard{sum};
    if (levels == 0)
        throw std::runtime_error("thrown " + std::to_string(sum));
    throw_below(levels - 1, sum);
}

static uint64_t exceptions(const char *name) {
    uint64_t sum = 1;
    begin(name);
    try {
        throw_below(3, sum);
    } catch (const std::exception &error) {
        sum = mixed(sum, error.what(), strlen(error.what()));
    }
    end();
    return sum;
}

static uint64_t plugin(const char *path) {
    begin("dlopen");
    void *handle = dlopen(path, RTLD_NOW);
    end();
    if (handle == nullptr)
        return 0;
    begin("dlsym");
    auto sum = reinterpret_cast<int (*)(const char *)>(dlsym(handle, "plugin_sum"));
    end();
    int value = sum("victim");
    begin("dlclose");
    dlclose(handle);
    end();
    return static_cast<uint64_t>(value);
}

static void *work(void *argument) {
    static thread_local uint64_t local = 1;
    for (int i = 0; i < 100; i++)
        local = local * 5 + static_cast<uint64_t>(i);
    *static_cast<uint64_t *>(argument) += local;
    return argument;
}

static void *work_from_birth(void *argument) {
    work(argument);
    end();
    return argument;
}

static void *work_and_exit(void *argument) {
    work(argument);
    begin("pthread_exit");
    pthread_exit(argument);
}

static uint64_t threads() {
    uint64_t sum = 1;
    pthread_t thread;
    begin("pthread_create");
    pthread_create(&thread, nullptr, work, &sum);
    end();
    begin("pthread_join");
    pthread_join(thread, nullptr);
    end();
    mark(BEGIN, "a new thread", NEXT_THREAD);
    pthread_create(&thread, nullptr, work_from_birth, &sum);
    pthread_join(thread, nullptr);
    pthread_create(&thread, nullptr, work_and_exit, &sum);
    pthread_join(thread, nullptr);
    return sum;
}

static uint64_t children() {
    int forked = 0, spawned = 0;
    pid_t child;
    char shell[] = "sh", option[] = "-c", script[] = "exit 9";
    char *arguments[] = {shell, option, script, nullptr};
    begin("fork and wait");
    child = fork();
    if (child == 0)
        _exit(5);
    waitpid(child, &forked, 0);
    end();
    begin("posix_spawn and wait");
    posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ);
    waitpid(child, &spawned, 0);
    end();
    return static_cast<uint64_t>(WEXITSTATUS(forked) * 10 + WEXITSTATUS(spawned));
}

NEVER_INLINED static uint64_t burn_until_ticked(uint64_t ns) { BURN(ns, 11); }

int main(int argc, char **argv) {
    if (argc != 2)
        return 2;
    burn_until_ticked(250000000);
    result("heap", heap());
    result("heap again", heap());
    result("copies", copies());
    result("jumps", jumps());
    result("clocks", clocks());
    result("first exception", exceptions("first throw"));
    result("second exception", exceptions("second throw"));
    result("plugin", plugin(argv[1]));
    result("threads", threads());
    result("children", children());
    return 7;
}
