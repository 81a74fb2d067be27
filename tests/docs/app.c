// app [ARGUMENTS]: works for a second and ends, whatever it is told.
#include <stdio.h>
#include <time.h>

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

__attribute__((noinline)) static unsigned work(unsigned x) {
    for (int i = 0; i < 1000000; i++)
        x = x * 5 + 11;
    return x;
}

int main(void) {
    unsigned x = 1;
    while (cpu_seconds() < 1)
        x = work(x);
    printf("%u\n", x);
    return 0;
}
