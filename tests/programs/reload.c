// reload LIBRARY FUNCTION [LIBRARY FUNCTION ...]: loads each library in turn, spends 0.3 s of CPU time
// in its function, and unloads it. Then does the same with a character set of the C library.
//
// Prints where each function was, and `FUNCTION ns`.
#include <dlfcn.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"

NEVER_INLINED static uint64_t convert(uint64_t ns) {
    static char from[4096], to[16384];
    uint64_t start = thread_cpu_ns();
    iconv_t conversion = iconv_open("UTF-8", "EUC-JP");
    if (conversion == (iconv_t)-1)
        return 0;
    memset(from, 0xb0, sizeof from);
    while (thread_cpu_ns() - start < ns)
        for (int i = 0; i < 50; i++) {
            char *in = from, *out = to;
            size_t left = sizeof from, room = sizeof to;
            iconv(conversion, &in, &left, &out, &room);
        }
    iconv_close(conversion);
    return thread_cpu_ns() - start;
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        void *library = dlopen(argv[i], RTLD_NOW);
        uint64_t (*burn)(uint64_t) = (uint64_t(*)(uint64_t))dlsym(library, argv[i + 1]);
        printf("at_%s %p\n", argv[i + 1], (void *)burn);
        printf("%s %llu\n", argv[i + 1], (unsigned long long)burn(300000000));
        dlclose(library);
    }
    printf("convert %llu\n", (unsigned long long)convert(300000000));
    return 0;
}
