// sleeper: sleeps for a third of a second and uses next to no CPU time.
#include <unistd.h>

int main(void) {
    usleep(333000);
    return 0;
}
