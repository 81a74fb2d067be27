// family KIND LOG: a process that starts others, in a way that KIND names.
//
// The first process burns CPU time in `first_work`, a child that executes nothing in `child_work`,
// and one that executes this program again (as KIND `leaf`) in `leaf_work`. Each of them appends a
// line `PID FUNCTION NS` to the file LOG when it is done.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu.h"

enum { NS = 300000000, GENERATIONS = 5 };

extern char **environ;
static char self[4096];
static const char *log_path;

NEVER_INLINED uint64_t first_work(uint64_t ns) { BURN_AT_LENGTH(ns, 11); }
NEVER_INLINED uint64_t child_work(uint64_t ns) { BURN_AT_LENGTH(ns, 13); }
NEVER_INLINED uint64_t leaf_work(uint64_t ns) { BURN_AT_LENGTH(ns, 17); }

static void append(const char *function, uint64_t ns) {
    char line[128];
    int length = snprintf(line, sizeof line, "%d %s %llu\n", getpid(), function,
                          (unsigned long long)ns);
    int file = open(log_path, O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (file < 0 || write(file, line, (size_t)length) != length)
        _exit(1);
    close(file);
}

static int be_child(void *unused) {
    (void)unused;
    append("child_work", child_work(NS));
    return 0;
}

static void wait_for(pid_t child) {
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "child %d failed\n", child);
        exit(1);
    }
}

static void by_fork(void) {
    pid_t child = fork();
    if (child == 0)
        _exit(be_child(NULL));
    wait_for(child);
}

// The child forks as well, and burns meanwhile.
static void by_fork_twice(void) {
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        be_child(NULL);
        if (grandchild != 0)
            wait_for(grandchild);
        _exit(0);
    }
    wait_for(child);
}

static void *fork_in_thread(void *unused) {
    by_fork();
    return unused;
}

static void by_fork_in_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, fork_in_thread, NULL);
    pthread_join(thread, NULL);
}

static void by_clone(void) {
    static char stack[256 << 10];
    wait_for(clone(be_child, stack + sizeof stack, SIGCHLD, NULL));
}

// The daemon forks `workers`, one after the other, before it burns itself.
static void by_daemon(int workers) {
    pid_t child = fork();
    if (child != 0) {
        wait_for(child);
        return;
    }
    setsid();
    if (fork() != 0)
        _exit(0);
    for (int standard = 0; standard < 3; standard++)
        dup2(open("/dev/null", O_RDWR), standard);
    usleep(300000);  // the first process ends meanwhile
    while (workers-- > 0)
        by_fork();
    _exit(be_child(NULL));
}

static char *arguments[] = {self, "leaf", NULL, NULL};
static char *no_environment[] = {NULL};
static char *own_environment[] = {"PATH=/usr/bin:/bin", "LANG=C", NULL};

static void by_vfork(void) {
    pid_t child = vfork();
    if (child == 0) {
        execv(self, arguments);
        _exit(127);
    }
    wait_for(child);
}

static void by_execve(char **environment) {
    pid_t child = fork();
    if (child == 0) {
        execve(self, arguments, environment);
        _exit(127);
    }
    wait_for(child);
}

static void by_posix_spawn(char **environment) {
    pid_t child;
    if (posix_spawn(&child, self, NULL, NULL, arguments, environment) != 0)
        exit(1);
    wait_for(child);
}

static void by_shell(int piped) {
    char command[3 * sizeof self];
    snprintf(command, sizeof command, "'%s' leaf '%s'", self, log_path);
    int status = piped ? pclose(popen(command, "r")) : system(command);
    if (status != 0)
        exit(1);
}

// leaf-N becomes leaf-(N - 1), and leaf-1 leaf: one process, several programs.
static void by_chain(int left) {
    char kind[32];
    snprintf(kind, sizeof kind, left > 1 ? "leaf-%d" : "leaf", left - 1);
    arguments[1] = kind;
    execv(self, arguments);
    exit(127);
}

static void start(const char *kind) {
    if (strcmp(kind, "fork") == 0)
        by_fork();
    else if (strcmp(kind, "fork-twice") == 0)
        by_fork_twice();
    else if (strcmp(kind, "fork-in-thread") == 0)
        by_fork_in_thread();
    else if (strcmp(kind, "clone") == 0)
        by_clone();
    else if (strcmp(kind, "daemon") == 0)
        by_daemon(0);
    else if (strcmp(kind, "daemon-with-workers") == 0)
        by_daemon(2);
    else if (strcmp(kind, "vfork") == 0)
        by_vfork();
    else if (strcmp(kind, "execve-empty") == 0)
        by_execve(no_environment);
    else if (strcmp(kind, "posix_spawn") == 0)
        by_posix_spawn(environ);
    else if (strcmp(kind, "posix_spawn-own") == 0)
        by_posix_spawn(own_environment);
    else if (strcmp(kind, "system") == 0)
        by_shell(0);
    else if (strcmp(kind, "popen") == 0)
        by_shell(1);
    else if (strcmp(kind, "chain") == 0)
        by_chain(GENERATIONS);
    else
        exit(2);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    log_path = arguments[2] = argv[2];
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return 1;
    if (strncmp(argv[1], "leaf", 4) == 0) {
        append("leaf_work", leaf_work(NS));
        if (argv[1][4] == '-')
            by_chain(atoi(argv[1] + 5));
        return 0;
    }
    append("first_work", first_work(NS));
    start(argv[1]);
    return 0;
}
