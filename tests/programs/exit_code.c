// exit_code exit N | raise SIGNAL | abort: ends in the way asked for.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "exit";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    puts("ending");
    fflush(stdout);
    if (strcmp(how, "raise") == 0)
        raise(number);
    if (strcmp(how, "abort") == 0)
        abort();
    return number;
}
