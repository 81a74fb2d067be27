// leader FACTOR LIBRARY: the main thread ends by pthread_exit; one that it started loads a library,
// calls what calls back, and ends the process.
#include <dlfcn.h>
#include <pthread.h>

#include "torture.h"

enum { ROUNDS = 150000 };

typedef uint64_t plugin_t(uint64_t seed, uint64_t (*callback)(uint64_t), int depth);

static int factor;
static const char *path;

static NEVER_INLINED uint64_t callback(uint64_t x) { return compute(x, ROUNDS * factor) + 1; }

static void *run(void *argument) {
    usleep(20000);  // the main thread is gone by then
    uint64_t sum = compute(1, ROUNDS * factor);
    plugin_t *plugin = (plugin_t *)dlsym(dlopen(path, RTLD_NOW), "plugin");
    sum = mix(sum, plugin(sum, callback, 3));
    end(sum);
    exit(4);
    return argument;
}

int main(int argc, char **argv) {
    factor = begin(argc, argv);
    path = argc > 2 ? argv[2] : "";
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_exit(NULL);
}
