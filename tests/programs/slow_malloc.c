// A library to preload: its malloc takes some microseconds longer.
#include <stddef.h>

void *__libc_malloc(size_t size);

void *malloc(size_t size) {
    for (int i = 0; i < 5000; i++)
        __asm__ volatile("" : "+r"(i));
    return __libc_malloc(size);
}
