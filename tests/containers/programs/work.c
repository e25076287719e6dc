/* work TIMES SECONDS PROGRAM [ARGUMENT]...: runs a program so often, one after the other, then lives on until it is so old.
   Exits with the number of runs that failed. */
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    double end = now() + atof(argv[2]);
    int failed = 0, status;
    for (int left = atoi(argv[1]); left > 0; left--) {
        if (fork() == 0) {
            execv(argv[3], argv + 3);
            _exit(127);
        }
        if (wait(&status) < 0 || status)
            failed++;
    }
    while (now() < end)
        usleep(20000);
    return failed;
}
