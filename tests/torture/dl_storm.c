// dl_storm FACTOR LIBRARY...: three threads load libraries, call functions that call back, and
// unload them, so that code comes and goes and other code comes to the same place. -DCALLS=N: each
// is called N times, and fewer are loaded.
#include <dlfcn.h>

#include "torture.h"

#ifndef CALLS
#define CALLS 1
#endif
enum { LOADS = 700 };

typedef uint64_t plugin_t(uint64_t seed, uint64_t (*callback)(uint64_t), int depth);

static int loads, libraries;
static char **paths;

static NEVER_INLINED uint64_t callback(uint64_t x) { return compute(x, 30); }

static void *run(void *argument) {
    uint64_t *sum = argument;
    for (int i = 0; i < loads; i++) {
        void *library = dlopen(paths[(*sum + (uint64_t)i) % (uint64_t)libraries], RTLD_NOW);
        if (library == NULL) {
            fprintf(stderr, "%s\n", dlerror());
            exit(1);
        }
        plugin_t *plugin = (plugin_t *)dlsym(library, "plugin");
        for (int call = 0; call < CALLS; call++)
            *sum = mix(*sum, plugin(*sum, callback, i % 20));
        dlclose(library);
    }
    return NULL;
}

int main(int argc, char **argv) {
    loads = LOADS * begin(argc, argv) / CALLS;
    paths = argv + 2;
    libraries = argc - 2;
    return end(in_three_threads(run));
}
