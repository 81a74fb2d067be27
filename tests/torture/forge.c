// forge FILE: fires SIGPROFs at the process whose pid appears in FILE, until it is gone.
//
// They go to the process and to its threads, by kill, tgkill, rt_sigqueueinfo and
// rt_tgsigqueueinfo, with codes that a kernel gives (its timers among them) and random values,
// overruns and timer ids. Codes that a stranger may not use (those from 0 on, and SI_TKILL) come
// from kill and tgkill. Prints how many were sent; exit status 1 if nobody appeared in 20 s.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sys/syscall.h>

#include "torture.h"

enum { MOST_THREADS = 64, THREADS_A_ROUND = 4, ROUNDS_A_LOOK = 16 };

static uint64_t state = 88172645463325252u, sent;

static pid_t wait_for_pid(const char *path) {
    for (int i = 0; i < 20000; i++) {
        int pid = 0;
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            if (fscanf(file, "%d\n", &pid) != 1 || fgetc(file) != EOF)
                pid = 0;
            fclose(file);
        }
        if (pid != 0)
            return pid;
        usleep(1000);
    }
    exit(1);
}

static int threads_of(pid_t pid, pid_t *tids) {
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && count < MOST_THREADS && (entry = readdir(folder)) != NULL)
        if (atoi(entry->d_name) > 0)
            tids[count++] = atoi(entry->d_name);
    if (folder != NULL)
        closedir(folder);
    return count;
}

static siginfo_t forgery(void) {
    static const int codes[] = {SI_TIMER, SI_TIMER, SI_QUEUE, SI_MESGQ, SI_ASYNCIO, SI_SIGIO};
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGPROF;
    info.si_code = codes[next_random(&state) % (sizeof codes / sizeof codes[0])];
    info.si_timerid = (int)(next_random(&state) % 8);
    info.si_overrun = (int)next_random(&state);
    info.si_value.sival_ptr = (void *)((uint64_t)FORGED << 32 | (uint32_t)next_random(&state));
    return info;
}

static int fire(pid_t pid, pid_t tid) {
    siginfo_t info = forgery();
    switch (next_random(&state) % 4) {
        case 0: return kill(pid, SIGPROF);
        case 1: return (int)syscall(SYS_rt_sigqueueinfo, pid, SIGPROF, &info);
        case 2: return (int)syscall(SYS_tgkill, pid, tid, SIGPROF);
        default: return (int)syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGPROF, &info);
    }
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    pid_t tids[MOST_THREADS], pid = wait_for_pid(argv[1]);
    int count = 0;
    for (int round = 0; kill(pid, 0) == 0; round++) {
        if (round % ROUNDS_A_LOOK == 0)
            count = threads_of(pid, tids);
        for (int i = 0; i < THREADS_A_ROUND && count > 0; i++)
            sent += fire(pid, tids[next_random(&state) % (uint64_t)count]) == 0;
        usleep(50);
    }
    printf("sent %llu\n", (unsigned long long)sent);
    return 0;
}
