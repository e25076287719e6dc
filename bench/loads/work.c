/* work CGROUP WHAT ARGUMENT...: loads of known size inside a cgroup.
 *   rate N      N system calls a second of four kinds, until it is ended
 *   storm N     N times fork, exec of /bin/true, wait
 *   calls N     N system calls as fast as they go
 *   opens N DIR opens N files that nobody opened before, 2 ms apart
 *   files N DIR N opens a second of the files f0 to f49, in bundles of 10 ms, until it is ended
 *   run PROGRAM ARGUMENT... */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "pace.h"

static void rate(long n) {
    static const long calls[] = {SYS_getppid, SYS_getuid, SYS_getgid, SYS_getpid};
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (;;) {
        long each = n / 20 - 1; /* and the sleep itself */
        for (long i = 0; i < each; i++)
            syscall(calls[i & 3]);
        wait_until(&t, 50000000);
    }
}

static int storm(long n) {
    char *none[] = {"true", NULL};
    for (long i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execv("/bin/true", none);
            _exit(9);
        }
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
            return 1;
    }
    return 0;
}

static int opens(long n, const char *folder) {
    struct timespec t;
    char path[4096];
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (long i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/f%ld", folder, i);
        close(open(path, O_RDONLY));
        wait_until(&t, 2000000);
    }
    return 0;
}

static void files(long n, const char *folder) {
    struct timespec t;
    char path[4096];
    clock_gettime(CLOCK_MONOTONIC, &t);
    for (unsigned long i = 0;;) {
        for (long each = n / 100; each > 0; each--, i++) {
            snprintf(path, sizeof(path), "%s/f%lu", folder, i % 50);
            close(open(path, O_RDONLY));
        }
        wait_until(&t, 10000000);
    }
}

int main(int argc, char **argv) {
    char path[4096];
    if (argc < 4)
        return 2;
    snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        return 1;
    close(fd);
    if (!strcmp(argv[2], "rate"))
        rate(atol(argv[3]));
    if (!strcmp(argv[2], "storm"))
        return storm(atol(argv[3]));
    if (!strcmp(argv[2], "opens"))
        return opens(atol(argv[3]), argv[4]);
    if (!strcmp(argv[2], "files") && argc > 4)
        files(atol(argv[3]), argv[4]);
    if (!strcmp(argv[2], "calls"))
        for (long i = atol(argv[3]); i > 0; i--)
            syscall(SYS_getppid);
    if (!strcmp(argv[2], "run"))
        execvp(argv[3], argv + 3);
    return 0;
}
