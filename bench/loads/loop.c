/* loop CGROUP CPU: enters a cgroup and a CPU, then for each line "CALLS RUNS" prints ns per getppid of its best run. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
    char path[4096];
    long calls;
    int runs;
    cpu_set_t set;
    snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (argc < 3 || fd < 0 || write(fd, "0", 1) != 1)
        return 1;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[2]), &set);
    sched_setaffinity(0, sizeof(set), &set);
    while (scanf("%ld %d", &calls, &runs) == 2) {
        double best = 1e18;
        for (int r = 0; r < runs; r++) {
            double begun = now();
            for (long i = 0; i < calls; i++)
                syscall(SYS_getppid);
            double each = (now() - begun) / calls;
            best = each < best ? each : best;
        }
        printf("%.3f\n", best);
        fflush(stdout);
    }
    return 0;
}
