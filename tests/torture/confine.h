// What a sandbox takes away from a program.
//
//   nofile=N            no descriptors from N on
//   close=N             descriptor N is closed
//   eperm=CALL, enosys=CALL, kill=CALL
//                       the system call fails with that error, or is the end of the process
#ifndef CONFINE_H
#define CONFINE_H

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline unsigned call_number(const char *name) {
    static const struct {
        const char *name;
        unsigned number;
    } calls[] = {
        {"add_key", SYS_add_key},
        {"bpf", SYS_bpf},
        {"io_uring_setup", SYS_io_uring_setup},
        {"kcmp", SYS_kcmp},
        {"keyctl", SYS_keyctl},
        {"mount", SYS_mount},
        {"perf_event_open", SYS_perf_event_open},
        {"pidfd_getfd", SYS_pidfd_getfd},
        {"process_vm_readv", SYS_process_vm_readv},
        {"process_vm_writev", SYS_process_vm_writev},
        {"ptrace", SYS_ptrace},
        {"setns", SYS_setns},
        {"timer_create", SYS_timer_create},
        {"unshare", SYS_unshare},
        {"userfaultfd", SYS_userfaultfd},
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(calls[i].name, name) == 0)
            return calls[i].number;
    fprintf(stderr, "unknown system call %s\n", name);
    exit(2);
}

// One call gets `action`, in all threads; everything else is allowed.
static inline void filter(const char *name, unsigned action) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call_number(name), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) != 0) {
        perror("seccomp");
        exit(2);
    }
}

static inline void confine(const char *what) {
    const char *value = strchr(what, '=');
    size_t length = value == NULL ? strlen(what) : (size_t)(value - what);
    if (strncmp(what, "nofile", length) == 0) {
        struct rlimit limit = {(rlim_t)atoi(value + 1), (rlim_t)atoi(value + 1)};
        setrlimit(RLIMIT_NOFILE, &limit);
    } else if (strncmp(what, "close", length) == 0) {
        close(atoi(value + 1));
    } else if (strncmp(what, "eperm", length) == 0) {
        filter(value + 1, SECCOMP_RET_ERRNO | EPERM);
    } else if (strncmp(what, "enosys", length) == 0) {
        filter(value + 1, SECCOMP_RET_ERRNO | ENOSYS);
    } else if (strncmp(what, "kill", length) == 0) {
        filter(value + 1, SECCOMP_RET_KILL_PROCESS);
    } else {
        fprintf(stderr, "unknown restriction %s\n", what);
        exit(2);
    }
}

#endif
