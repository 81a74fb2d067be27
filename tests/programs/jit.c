// jit MODE [MEMORY]: burns CPU time in machine code that it writes itself, and tells the names of it
// in its perf map, /tmp/perf-PID.map. MEMORY is anonymous, shared or memfd.
//
// moves: in `alpha`, in `beta`, in `gamma` in the place of `alpha`, in `called` by way of two
// trampolines like those of CPython, and in `late`, whose name is told when it is over. Removes the
// map then.
// dies: in `late`, tells its name, and is killed. The map stays.
// forks: in `alpha`, in a child of fork that calls it, and in `own`, code of the child's own.
//
// Prints `pid PID` and `FUNCTION ns`.
#define _GNU_SOURCE
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu.h"

enum { ROOM = 256, PLACES = 8, TURN = 300000000 };

typedef uint64_t function(uint64_t, uint64_t, uint64_t, uint64_t (*)(uint64_t));

// push rbp; mov rbp, rsp; again: imul rax, rax, FACTOR; dec rdi; jnz again; pop rbp; ret
static const unsigned char loops[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0x6b, 0xc0, 5, 0x48,
                                      0xff, 0xcf, 0x75, 0xf7, 0x5d, 0xc3};
// sub rsp, 8; call rcx; add rsp, 8; ret
static const unsigned char calls[] = {0x48, 0x83, 0xec, 8, 0xff, 0xd1, 0x48, 0x83, 0xc4, 8, 0xc3};

static unsigned char *memory;

static void path_of_map(char *path) { sprintf(path, "/tmp/perf-%d.map", (int)getpid()); }

static void tell(const char *format, ...) {
    char path[64];
    path_of_map(path);
    FILE *map = fopen(path, "a");
    va_list arguments;
    va_start(arguments, format);
    vfprintf(map, format, arguments);
    va_end(arguments);
    fclose(map);
}

static unsigned char *place(int number) { return memory + ROOM * number; }

static function *put(int number, const unsigned char *code, size_t length) {
    memcpy(place(number), code, length);
    return (function *)(void *)place(number);
}

// Calls a function that loops until it has used so much CPU time.
NEVER_INLINED static uint64_t burn(function *code, uint64_t ns) {
    uint64_t start = thread_cpu_ns(), used = 0, done = 0;
    while (used < ns) {
        uint64_t more = rounds_for(ns - used, done, used);
        code(more, 0, 0, NULL);
        done += more;
        used = thread_cpu_ns() - start;
    }
    return used;
}

static void print(const char *name, uint64_t ns) {
    printf("%s %llu\n", name, (unsigned long long)ns);
}

static function *inner;

NEVER_INLINED static uint64_t called(uint64_t ns) { BURN(ns, 3); }

// A function of the interpreter, between two of the language.
NEVER_INLINED static uint64_t evaluate(uint64_t ns) {
    uint64_t used = inner(ns, 0, 0, called);
    __asm__ volatile("" : "+r"(used));
    return used;
}

static void move(void) {
    function *alpha = put(0, loops, sizeof loops), *beta = put(1, loops, sizeof loops);
    tell("%lx %x alpha\n", (long)place(0), ROOM);
    tell("0x%016lx 0x%x beta<int>(char, long)\n", (long)place(1), ROOM);
    print("alpha", burn(alpha, TURN));
    print("beta<int>(char, long)", burn(beta, TURN));

    function *gamma = put(0, loops, sizeof loops);
    tell("%lx %zx gamma\n", (long)place(0), sizeof loops);
    print("gamma", burn(gamma, TURN));

    function *outer = put(2, calls, sizeof calls);
    inner = put(3, calls, sizeof calls);
    tell("%lx %zx py::outer:/app/main.py\n", (long)outer, sizeof calls);
    tell("%lx %zx py::inner:/app/main.py\n", (long)inner, sizeof calls);
    print("called", outer(TURN, 0, 0, evaluate));

    print("late", burn(put(4, loops, sizeof loops), TURN));
    tell("nonsense\n%lx %x late\n%lx 10 cut", (long)place(4), ROOM, (long)place(4));
    char path[64];
    path_of_map(path);
    unlink(path);
}

static void die(void) {
    print("late", burn(put(0, loops, sizeof loops), TURN));
    fflush(stdout);
    tell("%lx %x late\n", (long)place(0), ROOM);
    raise(SIGKILL);
}

static void fork_once(void) {
    function *alpha = put(0, loops, sizeof loops), *own = put(1, loops, sizeof loops);
    tell("%lx %x alpha\n", (long)place(0), ROOM);
    uint64_t used = burn(alpha, TURN);
    char path[64];
    path_of_map(path);
    print("of_parent", used);
    fflush(stdout);
    if (fork() == 0) {
        tell("%lx %x own\n", (long)place(1), ROOM);
        print("of_child", burn(alpha, TURN));
        print("own", burn(own, TURN));
        fflush(stdout);
        path_of_map(path);
        unlink(path);
        _exit(0);
    }
    wait(NULL);
    unlink(path);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "moves", *kind = argc > 2 ? argv[2] : "anonymous";
    int flags = strcmp(kind, "anonymous") == 0 ? MAP_PRIVATE | MAP_ANONYMOUS
                : strcmp(kind, "shared") == 0  ? MAP_SHARED | MAP_ANONYMOUS
                                               : MAP_SHARED;
    int file = -1;
    if (!(flags & MAP_ANONYMOUS)) {
        file = memfd_create("code", 0);
        if (ftruncate(file, ROOM * PLACES) != 0)
            return 1;
    }
    memory = mmap(NULL, ROOM * PLACES, PROT_READ | PROT_WRITE | PROT_EXEC, flags, file, 0);
    if (memory == MAP_FAILED)
        return 1;
    printf("pid %d\n", (int)getpid());
    if (strcmp(mode, "moves") == 0)
        move();
    else if (strcmp(mode, "dies") == 0)
        die();
    else
        fork_once();
    return 0;
}
