// restart: what system calls do when a child sends SIGPROF while the program waits in them: with a
// handler that lets them fail, with one that has them restarted, and with the signal ignored.
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#include "torture.h"

static int pipe_ends[2];

static void on_sigprof(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
}

// Sends the signal after 50 ms, and something to read after 150 ms.
static pid_t disturb(void) {
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    usleep(50000);
    kill(getppid(), SIGPROF);
    usleep(100000);
    _exit(write(pipe_ends[1], "x", 1) == 1 ? 0 : 1);
}

static void wait_in_read(const char *how) {
    char byte;
    pid_t pid = disturb();
    int first = (int)read(pipe_ends[0], &byte, 1);
    printf("read %s: %s\n", how, first == 1 ? "went on" : strerror(errno));
    if (first != 1 && read(pipe_ends[0], &byte, 1) != 1)
        exit(1);
    waitpid(pid, NULL, 0);
}

static void wait_in_poll(const char *how) {
    char byte;
    pid_t pid = disturb();
    struct pollfd wanted = {pipe_ends[0], POLLIN, 0};
    int first = poll(&wanted, 1, 10000);
    printf("poll %s: %s\n", how, first == 1 ? "went on" : strerror(errno));
    if (read(pipe_ends[0], &byte, 1) != 1)
        exit(1);
    waitpid(pid, NULL, 0);
}

int main(void) {
    if (pipe(pipe_ends) != 0)
        return 1;
    handle(SIGPROF, on_sigprof, 0);
    wait_in_read("fails");
    wait_in_poll("fails");
    handle(SIGPROF, on_sigprof, SA_RESTART);
    wait_in_read("restarts");
    wait_in_poll("restarts");
    signal(SIGPROF, SIG_IGN);
    // (A poll would fail: the kernel knows of a handler. It is one of the documented limits.)
    wait_in_read("ignores");
    return end(1);
}
