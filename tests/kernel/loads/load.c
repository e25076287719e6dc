/* Known loads: load NAME [ARGUMENT]... Each makes exactly the calls that its test counts. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long count;
static char **rest;
static pthread_barrier_t start;

static void on_cpu(long cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu % sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

static void *ask_parent(void *cpu) {
    on_cpu((long)cpu);
    pthread_barrier_wait(&start);
    for (long i = 0; i < count; i++)
        syscall(SYS_getppid);
    return NULL;
}

static int in_threads(void *(*work)(void *), int threads) {
    pthread_t t[64];
    pthread_barrier_init(&start, NULL, threads);
    for (long i = 0; i < threads; i++)
        pthread_create(&t[i], NULL, work, (void *)i);
    for (int i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    return 0;
}

/* Two threads, each with a cycle of three calls that it alone makes, on one CPU, giving way to one another. */
static void *cycle(void *which) {
    on_cpu(0);
    pthread_barrier_wait(&start);
    for (long i = 0; i < count; i++) {
        syscall(which ? SYS_getuid : SYS_getppid);
        if (i % 3 == 0)
            usleep(1);
        syscall(which ? SYS_geteuid : SYS_getpgrp);
        syscall(which ? SYS_getegid : SYS_getgid);
    }
    return NULL;
}

static void *exec_rest(void *unused) {
    execv(rest[0], rest);
    return unused;
}

/* 32-bit calls of a 64-bit program; number 20 is getpid there, 64 getppid. */
static long compat(long number) {
    long result = number;
    __asm__ volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static int by_descriptor(char *name, char **argv) {
    int in = open(name, O_RDONLY), out = memfd_create("hidden tool", MFD_CLOEXEC);
    char buffer[65536];
    for (long n; (n = read(in, buffer, sizeof(buffer))) > 0;)
        if (write(out, buffer, n) != n)
            return 1;
    char *none[] = {NULL};
    syscall(SYS_execveat, out, "", argv, none, AT_EMPTY_PATH);
    perror("execveat");
    return 1;
}

static int open_all_ways(char *directory) {
    struct open_how how = {.flags = O_RDONLY};
    if (chdir(directory))
        return 1;
    close(syscall(SYS_openat2, AT_FDCWD, "by-openat2", &how, sizeof(how)));
    close(syscall(SYS_creat, "by-creat", 0600));
    close(syscall(SYS_open, "by-open", O_RDONLY));
    close(syscall(SYS_openat, AT_FDCWD, "by-openat", O_RDWR));
    return 0;
}

static int open_by_handle(char *directory, char *name) {
    struct { struct file_handle head; char rest[MAX_HANDLE_SZ]; } handle = {.head.handle_bytes = MAX_HANDLE_SZ};
    int mount, in = open(directory, O_RDONLY | O_DIRECTORY);
    if (name_to_handle_at(in, name, &handle.head, &mount, 0))
        return 0;
    int fd = open_by_handle_at(in, &handle.head, O_RDONLY);
    return fd < 0 || puts("opened") < 0;
}

/* Opens a file, then makes 32-bit calls whose results look like descriptors that are open. */
static int confuse(char *name) {
    int fd = open(name, O_RDONLY);
    for (int i = 0; i < 50; i++)
        compat(33 /* access, of NULL */), compat(41 /* dup */), close(fd + 1);
    return 0;
}

static int into(char *directory, char **argv) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY);
    uint64_t how[11] = {0x200000000ULL /* CLONE_INTO_CGROUP */};
    how[4] = 17 /* SIGCHLD */;
    how[10] = fd;
    long pid = syscall(SYS_clone3, how, sizeof(how));
    if (pid == 0) {
        close(open(argv[0], O_RDONLY));
        execv(argv[1], argv + 1);
        _exit(98);
    }
    int status = 1;
    return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

int main(int argc, char **argv) {
    char *what = argv[1];
    count = argc > 2 ? atol(argv[2]) : 1;
    if (!strcmp(what, "parents"))
        return in_threads(ask_parent, 2);
    if (!strcmp(what, "cycles"))
        return in_threads(cycle, 2);
    if (!strcmp(what, "crowd"))
        return in_threads(ask_parent, 64);
    if (!strcmp(what, "compat"))
        for (long i = 0; i < count; i++)
            compat(20);
    else if (!strcmp(what, "beyond"))
        for (long i = 0; i < count; i++)
            syscall(600), syscall(0x40000000 | SYS_getpid);
    else if (!strcmp(what, "thread")) {
        pthread_t t;
        rest = argv + 2;
        pthread_create(&t, NULL, exec_rest, NULL);
        pthread_join(t, NULL);
    } else if (!strcmp(what, "memfd"))
        return by_descriptor(argv[2], argv + 2);
    else if (!strcmp(what, "opens"))
        for (long i = 0; i < count; i++)
            close(open(argv[3], O_RDONLY));
    else if (!strcmp(what, "ways"))
        return open_all_ways(argv[2]);
    else if (!strcmp(what, "handle"))
        return open_by_handle(argv[2], argv[3]);
    else if (!strcmp(what, "confuse"))
        return confuse(argv[2]);
    else if (!strcmp(what, "into"))
        return into(argv[2], argv + 3);
    else
        return 97;
    return 0;
}
