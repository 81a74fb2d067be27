// signal_storm FACTOR: SIGALRM from setitimer every 0.2 ms, SIGURG from another thread all the time,
// and SIGSEGV by real faults, with handlers that interrupt one another, on alternate stacks or not.
#include <pthread.h>
#include <sys/time.h>

#include "stacks.h"
#include "torture.h"

enum { WORKERS = 3, FAULTS = 6000, ALTERNATE = 65536 };

static int faults, finished;
static pthread_t workers[WORKERS];
static volatile int done;
static __thread char *page;
static __thread uint64_t faulted;

static void on_alarm_or_urgent(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    volatile uint64_t x = compute((uint64_t)signal, 5);
    (void)x;
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    if (info->si_addr != page)
        abort();
    faulted++;
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static void *work(void *argument) {
    uint64_t *sum = argument;
    char *alternate = map_guarded(ALTERNATE);
    stack_t stack = {alternate, 0, ALTERNATE};
    if (*sum % 2 == 0)
        sigaltstack(&stack, NULL);
    page = map_guarded(PAGE);
    for (int i = 0; i < faults; i++) {
        mprotect(page, PAGE, PROT_NONE);
        *(volatile char *)page = (char)i;
        *sum = mix(*sum, compute(*sum, 5));
    }
    *sum = mix(*sum, faulted);
    __atomic_add_fetch(&finished, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void *urge(void *argument) {
    for (int i = 0; !done; i++) {
        pthread_kill(workers[i % WORKERS], SIGURG);
        usleep(100);
    }
    return argument;
}

int main(int argc, char **argv) {
    faults = FAULTS * begin(argc, argv);
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    uint64_t sums[WORKERS] = {1, 2, 3}, checksum = 0;
    pthread_t urging;
    handle(SIGALRM, on_alarm_or_urgent, SA_RESTART);
    handle(SIGURG, on_alarm_or_urgent, SA_RESTART | SA_ONSTACK);
    handle(SIGSEGV, on_fault, SA_ONSTACK);
    for (int k = 0; k < WORKERS; k++)
        pthread_create(&workers[k], NULL, work, &sums[k]);
    setitimer(ITIMER_REAL, &often, NULL);
    pthread_create(&urging, NULL, urge, NULL);
    // A thread may be urged until it is joined, so that comes last.
    while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < WORKERS)
        usleep(1000);
    done = 1;
    pthread_join(urging, NULL);
    for (int k = 0; k < WORKERS; k++)
        pthread_join(workers[k], NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    for (int k = 0; k < WORKERS; k++)
        checksum = mix(checksum, sums[k]);
    return end(checksum);
}
