// A small shared object for victim.cpp to load: some relocations, and functions of the C library.
#include <stdlib.h>
#include <string.h>

static int table[] = {3, 1, 2};
static int *const ordered[] = {&table[1], &table[2], &table[0]};

__attribute__((constructor)) static void grow(void) { table[0] += 4; }

int plugin_sum(const char *text) {
    char *copy = strdup(text);
    int sum = (int)strlen(copy);
    free(copy);
    for (int i = 0; i < 3; i++)
        sum = sum * 10 + *ordered[i];
    return sum;
}

int plugin_count(void) {
    static __thread int count = 40;
    static __thread char room[20000];
    room[count] = 1;
    count++;
    return count + room[count - 1];
}
