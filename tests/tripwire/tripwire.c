// A library to be preloaded, in which functions that no signal handler may call are tripwires.
//
// While the handler of sigspy runs, the kernel has all 64 signals blocked, also the two that the C
// library keeps to itself, so that programs do not block them. Each function here looks at that
// mask, with a bare system call, and if it is so writes its name to standard error and dies.
// Otherwise it jumps to the real function, with the caller's return address in place: what depends
// on the caller, like dlopen and RTLD_NEXT, works.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

struct wire {
    const char *name;
    const char *version;
    void *real;
};

extern void *__libc_malloc(), *__libc_calloc(), *__libc_realloc(), *__libc_free();
extern void *__libc_memalign(), *__libc_valloc(), *__libc_pvalloc();

static long system_call(long number, long a, long b, long c, long d) {
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return number;
}

static int in_handler(void) {
    enum { RT_SIGPROCMASK = 14, KILL_AND_STOP = 1 << 8 | 1 << 18 };
    uint64_t mask = 0;
    system_call(RT_SIGPROCMASK, 0, 0, (long)&mask, sizeof mask);
    return (mask | KILL_AND_STOP) == ~(uint64_t)0;
}

static void say(const char *text) {
    enum { WRITE = 1 };
    size_t length = 0;
    while (text[length] != 0)
        length++;
    system_call(WRITE, 2, (long)text, (long)length, 0);
}

__attribute__((used, visibility("hidden"))) void *tripwire_check(struct wire *wire) {
    if (in_handler()) {
        say("tripwire: ");
        say(wire->name);
        say(" was called with all signals blocked\n");
        __builtin_trap();
    }
    if (wire->real == NULL)
        wire->real = dlvsym(RTLD_NEXT, wire->name, wire->version);
    if (wire->real == NULL) {
        say("tripwire: there is no function ");
        say(wire->name);
        say("\n");
        __builtin_trap();
    }
    return wire->real;
}

#define PUSH(register) "push %" #register "\n.cfi_adjust_cfa_offset 8\n"
#define POP(register) "pop %" #register "\n.cfi_adjust_cfa_offset -8\n"
#define WIRE_TO(function, version, real)                                                     \
    __attribute__((used, visibility("hidden"))) struct wire wire_##function = {#function, version, \
                                                                               real};        \
    __asm__(".text\n.globl " #function "\n.type " #function ", @function\n" #function ":\n"  \
            ".cfi_startproc\n" PUSH(rdi) PUSH(rsi) PUSH(rdx) PUSH(rcx) PUSH(r8) PUSH(r9)     \
            PUSH(rax) "lea wire_" #function "(%rip), %rdi\ncall tripwire_check\n"            \
            "mov %rax, %r11\n" POP(rax) POP(r9) POP(r8) POP(rcx) POP(rdx) POP(rsi) POP(rdi)  \
            "jmp *%r11\n.cfi_endproc\n.size " #function ", . - " #function "\n");
#define WIRE(function) WIRE_TO(function, "GLIBC_2.2.5", NULL)

// The loader calls these before dlvsym works, and dlvsym may call them.
WIRE_TO(malloc, "", __libc_malloc)
WIRE_TO(calloc, "", __libc_calloc)
WIRE_TO(realloc, "", __libc_realloc)
WIRE_TO(free, "", __libc_free)
WIRE_TO(memalign, "", __libc_memalign)
WIRE_TO(valloc, "", __libc_valloc)
WIRE_TO(pvalloc, "", __libc_pvalloc)
WIRE(posix_memalign)
WIRE_TO(aligned_alloc, "GLIBC_2.16", NULL)
WIRE(malloc_usable_size)

WIRE_TO(__tls_get_addr, "GLIBC_2.3", NULL)
WIRE(dl_iterate_phdr)
WIRE(dlopen)
WIRE(dlsym)
WIRE(dlclose)
WIRE(dladdr)
WIRE(dlerror)

WIRE(pthread_self)
WIRE(pthread_kill)
WIRE(pthread_sigmask)
WIRE(pthread_once)
WIRE(pthread_getspecific)
WIRE(pthread_setspecific)
WIRE(pthread_key_create)
WIRE(pthread_key_delete)
WIRE(pthread_mutex_init)
WIRE(pthread_mutex_destroy)
WIRE(pthread_mutex_lock)
WIRE(pthread_mutex_trylock)
WIRE(pthread_mutex_timedlock)
WIRE(pthread_mutex_unlock)
WIRE_TO(pthread_cond_wait, "GLIBC_2.3.2", NULL)
WIRE_TO(pthread_cond_timedwait, "GLIBC_2.3.2", NULL)
WIRE_TO(pthread_cond_signal, "GLIBC_2.3.2", NULL)
WIRE_TO(pthread_cond_broadcast, "GLIBC_2.3.2", NULL)
WIRE_TO(pthread_cond_init, "GLIBC_2.3.2", NULL)
WIRE_TO(pthread_cond_destroy, "GLIBC_2.3.2", NULL)
WIRE(pthread_rwlock_rdlock)
WIRE(pthread_rwlock_tryrdlock)
WIRE(pthread_rwlock_wrlock)
WIRE(pthread_rwlock_trywrlock)
WIRE(pthread_rwlock_unlock)
WIRE(pthread_spin_lock)
WIRE(pthread_spin_unlock)
WIRE(pthread_setcancelstate)
WIRE(pthread_getattr_np)
WIRE(sem_post)
WIRE(sem_wait)

WIRE(__errno_location)
WIRE(getenv)
WIRE(sigaction)
WIRE(syscall)
WIRE(clock_gettime)
WIRE(abort)
