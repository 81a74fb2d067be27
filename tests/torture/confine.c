// confine RESTRICTION... -- PROGRAM ARGUMENT...: runs a program with less than others have.
#include "confine.h"

int main(int argc, char **argv) {
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++)
        confine(argv[i]);
    if (i + 1 >= argc)
        return 2;
    execv(argv[i + 1], argv + i + 1);
    perror(argv[i + 1]);
    return 127;
}
