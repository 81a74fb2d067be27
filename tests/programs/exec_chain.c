// exec_chain LEFT: burns a moment of CPU time and becomes itself again with LEFT - 1, by each
// function of the exec family in turn; at 0 it prints "done". Between, some of them fail first.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpu.h"

extern char **environ;

// Long enough for the kernel's tick to come by in every third turn or so. Turns of random length do not
// keep step with it.
NEVER_INLINED static uint64_t burn(uint64_t random) { BURN(500000 + random % 2000000, 3); }

static void become(const char *path, char *left, long n) {
    char *arguments[] = {"exec_chain", left, NULL};
    execv("/no/such/program", arguments);
    switch (n % 9) {
    case 0: execve(path, arguments, environ); break;
    case 1: execv(path, arguments); break;
    case 2: execvp(path, arguments); break;
    case 3: execvpe(path, arguments, environ); break;
    case 4: execl(path, "exec_chain", left, (char *)NULL); break;
    case 5: execlp(path, "exec_chain", left, (char *)NULL); break;
    case 6: execle(path, "exec_chain", left, (char *)NULL, environ); break;
    case 7: fexecve(open(path, O_RDONLY | O_CLOEXEC), arguments, environ); break;
    case 8: execveat(AT_FDCWD, path, arguments, environ, 0); break;
    }
    perror("exec");
    exit(1);
}

int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 100;
    if (n == 0) {
        puts("done");
        return 0;
    }
    char left[32], path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0)
        return 1;
    path[length] = '\0';
    snprintf(left, sizeof left, "%ld", n - 1);
    uint64_t random = (uint64_t)n * 0x9e3779b97f4a7c15u + 1;
    burn(next_random(&random));
    become(path, left, n);
}
