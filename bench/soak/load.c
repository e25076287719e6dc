/* Known loads for the soak, each counted by itself in a page that the soak maps too, so that counting costs no system call.
 *   load spawn     makes a network namespace, then starts and reaps loads as its input says; descriptor 3 is the page of counts
 *   load work SEAT one replica, until its seat says so
 *   load child     ends at once
 * Linked statically: a program that the loader reads in has calls of its own, and nothing is to happen here that is not counted. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/tcp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../loads/pace.h"

#define SEATS 64
#define PAGE_FD 3

enum { RUN, PAUSE, STOP };

/* The order is that of bench/soak/seats.py. Counts grow over all replicas that ever had the seat. */
struct seat {
    uint64_t order;      /* RUN, PAUSE or STOP; written by the soak */
    uint64_t rests;      /* 1: it has seen PAUSE and does nothing but sleep */
    uint64_t failed;     /* line of a step that failed */
    uint64_t rounds;
    uint64_t reads, writes, opens, ids;
    uint64_t forks, execs, reaped, reaped_execs;
    uint64_t connects, accepts;
    uint64_t sent_up, sent_down;      /* payload bytes given to the kernel: client to server, server to client */
    uint64_t info_up, info_down;      /* tcpi_bytes_received of the server's socket, of the client's */
    uint64_t exits;                   /* replicas that ended in order */
    uint64_t spare[13];
};
_Static_assert(sizeof(struct seat) == 256, "update bench/soak/seats.py");

static volatile struct seat *me;

#define MUST(x) do { if (!(x)) { me->failed = __LINE__; _exit(9); } } while (0)

static void map_seat(int number) {
    void *page = mmap(NULL, SEATS * sizeof(struct seat), PROT_READ | PROT_WRITE, MAP_SHARED, PAGE_FD, 0);
    if (page == MAP_FAILED || number < 0 || number >= SEATS)
        _exit(8);
    me = (volatile struct seat *)page + number;
}

static void read_file(const char *path) {
    char text[256];
    struct iovec v = {text, sizeof(text)};
    int fd = open(path, O_RDONLY);
    MUST(fd >= 0);
    me->opens++;
    for (int i = 0; i < 3; i++) {
        MUST(read(fd, text, 64) == 64);
        MUST(pread(fd, text, 64, 64) == 64);
        MUST(readv(fd, &v, 1) > 0);
        me->reads += 3;
    }
    close(fd);
}

static void write_file(const char *path) {
    char text[64] = {};
    struct iovec v = {text, sizeof(text)};
    int fd = open(path, O_WRONLY);
    MUST(fd >= 0);
    me->opens++;
    MUST(write(fd, text, 64) == 64);
    MUST(pwrite(fd, text, 64, 64) == 64);
    MUST(writev(fd, &v, 1) == 64);
    me->writes += 3;
    close(fd);
}

static int listen_at(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    MUST(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 8));
    return fd;
}

static void pass(int from, int to, long length) {
    static char text[16384];
    MUST(write(from, text, length) == length);
    me->writes++;
    while (length > 0) {
        long n = read(to, text, length);
        me->reads++;
        MUST(n > 0);
        length -= n;
    }
}

static void at_end(int fd) {
    char none;
    me->reads++;
    MUST(read(fd, &none, 1) == 0);
}

static uint64_t received(int fd) {
    struct tcp_info info = {};
    socklen_t size = sizeof(info);
    MUST(!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
    return info.tcpi_bytes_received;
}

static void talk(int listener, int port, long up, long down) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int client = socket(AF_INET, SOCK_STREAM, 0);
    MUST(client >= 0 && !connect(client, (struct sockaddr *)&a, sizeof(a)));
    me->connects++;
    int server = accept(listener, NULL, NULL);
    MUST(server >= 0);
    me->accepts++;
    pass(client, server, up);
    me->sent_up += up;
    pass(server, client, down);
    me->sent_down += down;
    me->info_up += received(server);
    me->info_down += received(client);
    /* Closed at both ends while both are there: what answers for a socket that its process has left already is in no cgroup. */
    MUST(!shutdown(client, SHUT_WR));
    at_end(server);
    close(server);
    at_end(client);
    close(client);
}

static void start_child(int exec, const char *self) {
    int status = 0;
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        char *argv[] = {"child", NULL}, *none[] = {NULL};
        if (exec)
            execve(self, argv, none);
        _exit(exec ? 9 : 0);
    }
    me->forks++;
    me->execs += exec;
    MUST(wait4(pid, &status, 0, NULL) == pid && status == 0);
    me->reaped++;
    me->reaped_execs += exec;
}

static void work(int number, const char *self, const char *child) {
    char data[4096], more[4096], out[4096];
    snprintf(data, sizeof(data), "%s/data", self);
    snprintf(more, sizeof(more), "%s/more", self);
    snprintf(out, sizeof(out), "%s/out%d", self, number);
    int port = 10000 + number, listener = listen_at(port);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    wait_until(&t, (number * 37 % 64) * 15000000L + 1);  /* not all in the same millisecond */
    for (uint64_t round = 0;; round++) {
        while (me->order == PAUSE) {
            me->rests = 1;
            wait_until(&t, 200000000);
        }
        me->rests = 0;
        if (me->order == STOP) {
            me->exits++;
            _exit(0);
        }
        for (int i = 0; i < 2; i++) {
            read_file(data);
            read_file(more);
        }
        write_file(out);
        for (int i = 0; i < 100; i++)
            syscall(SYS_getppid);
        me->ids += 100;
        if (round % 2 == 0)
            talk(listener, port, 512 + round * 131 % 7680, 128 + round * 977 % 15000);
        if (round % 5 == 1)
            start_child(1, child);
        if (round % 7 == 3)
            start_child(0, child);
        me->rounds++;
        wait_until(&t, 1000000000);
    }
}

/* -- the spawner, which no sensor observes ------------------------------------------------------------------------------- */

static pid_t running[SEATS + 2];  /* by seat; SEATS and above: calibration */

static void own_network(void) {
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (unshare(CLONE_NEWNET)) {
        perror("a network namespace");
        exit(3);
    }
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo)) {
        perror("the loopback interface");
        exit(3);
    }
    close(fd);
}

/* Born in its cgroup: nothing of it is done elsewhere, and what the kernel accounts to it begins there. */
static void start(const char *self, int seat, const char *cgroup, const char *files, const char *what) {
    int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = fd};
    pid_t pid = fd < 0 ? -1 : syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0) {
        char number[16];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        snprintf(number, sizeof(number), "%d", seat);
        char *argv[] = {(char *)self, (char *)what, number, (char *)files, NULL}, *empty[] = {NULL};
        execve(self, argv, empty);
        _exit(9);
    }
    if (fd >= 0)
        close(fd);
    if (pid > 0)
        running[seat] = pid;
    printf("%s %d %d\n", pid > 0 ? "started" : "refused", seat, pid > 0 ? pid : errno);
}

static uint64_t value_of(const char *text, const char *key) {
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void reap(void) {
    siginfo_t info = {};
    while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid) {
        char path[64], text[512] = {};
        int seat = -1;
        for (int i = 0; i < SEATS + 2; i++)
            seat = running[i] == info.si_pid ? i : seat;
        snprintf(path, sizeof(path), "/proc/%d/io", info.si_pid);  /* a zombie still has it, with its children's */
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
            text[0] = 0;
        if (fd >= 0)
            close(fd);
        printf("ended %d %d %lu %lu %d\n", seat, info.si_pid, value_of(text, "syscr: "), value_of(text, "syscw: "),
               info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status);
        if (seat >= 0)
            running[seat] = 0;
        waitpid(info.si_pid, NULL, 0);
        info.si_pid = 0;
    }
}

static int spawn(const char *self) {
    static char line[16384];
    size_t length = 0;
    sigset_t child;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    own_network();
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    struct pollfd on[2] = {{.fd = 0, .events = POLLIN}, {.fd = signalfd(-1, &child, SFD_CLOEXEC), .events = POLLIN}};
    printf("ready 0 %d\n", getpid());
    for (;;) {
        if (poll(on, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (on[1].revents) {
            struct signalfd_siginfo seen;
            if (read(on[1].fd, &seen, sizeof(seen)) < 0)
                return 1;
            reap();
        }
        if (!on[0].revents)
            continue;
        ssize_t n = read(0, line + length, sizeof(line) - 1 - length);
        if (n <= 0)
            return 0;
        length += n;
        line[length] = 0;
        for (char *end; (end = strchr(line, '\n'));) {
            char what[16], cgroup[4096], files[4096];
            int seat;
            *end = 0;
            if (sscanf(line, "%15s %d %4095s %4095s", what, &seat, cgroup, files) == 4 && seat >= 0 && seat < SEATS + 2)
                start(self, seat, cgroup, files, what);
            length -= end + 1 - line;
            memmove(line, end + 1, length + 1);
        }
    }
}

int main(int argc, char **argv) {
    if (argc >= 2 && !strcmp(argv[1], "spawn"))
        return spawn(argv[0]);
    if (argc < 4 || strcmp(argv[1], "work"))
        return 0;  /* a child, or a calibration */
    map_seat(atoi(argv[2]));
    work(atoi(argv[2]), argv[3], argv[0]);
}
