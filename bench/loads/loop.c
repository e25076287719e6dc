/* loop CGROUP CPU WHAT [FILE]: enters a cgroup and a CPU, then for each line "TIMES RUNS" prints ns of one WHAT in the best run:
 * a call (getppid), a message (one byte over TCP on loopback, sent and received), a file (FILE opened and closed),
 * or a storm (fork, exec of /bin/true, wait). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static int ends[2];

static int connect_ends(void) {
    int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    if (bind(server, (void *)&at, size) || listen(server, 1) || getsockname(server, (void *)&at, &size))
        return 1;
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ends[0], (void *)&at, size))
        return 1;
    ends[1] = accept(server, NULL, NULL);
    setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return ends[1] < 0;
}

static void call(void) { syscall(SYS_getppid); }

static void message(void) {
    char c = 0;
    if (send(ends[0], &c, 1, 0) != 1 || recv(ends[1], &c, 1, 0) != 1)
        exit(3);
}

static const char *path;

static void file(void) {
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        exit(4);
    close(fd);
}

static void storm(void) {
    char *none[] = {"true", NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execv("/bin/true", none);
        _exit(9);
    }
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
        exit(5);
}

static void (*work_of(const char *what))(void) {
    if (!strcmp(what, "message"))
        return message;
    if (!strcmp(what, "file"))
        return file;
    return strcmp(what, "storm") ? call : storm;
}

int main(int argc, char **argv) {
    char procs[4096];
    long calls;
    int runs;
    cpu_set_t set;
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", argv[1]);
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (argc < 4 || fd < 0 || write(fd, "0", 1) != 1)
        return 1;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[2]), &set);
    sched_setaffinity(0, sizeof(set), &set);
    void (*work)(void) = work_of(argv[3]);
    if (work == message && connect_ends())
        return 2;
    path = argc > 4 ? argv[4] : "/dev/null";
    while (scanf("%ld %d", &calls, &runs) == 2) {
        double best = 1e18;
        for (int r = 0; r < runs; r++) {
            double begun = now();
            for (long i = 0; i < calls; i++)
                work();
            double each = (now() - begun) / calls;
            best = each < best ? each : best;
        }
        printf("%.3f\n", best);
        fflush(stdout);
    }
    return 0;
}
