/* ring plain|sqpoll STEP...: asks exactly this of a ring of its own, by the raw system calls. 3: this kernel gives none.
 * Steps: nop:COUNT read:COUNT open:PATH open2:PATH write:PATH worker:PATH slot:PATH chosen:PATH silent:PATH close socket connect:PORT send:BYTES
 * batch:SECRET:PATH */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 64

static int ring, asked, polled, last = -1;
static unsigned *sq_head, *sq_tail, *sq_flags, *sq_array, *cq_head, *cq_tail, sq_mask, cq_mask;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static char bytes[1 << 16];

static void check(int right, const char *what) {
    if (right)
        return;
    perror(what);
    exit(1);
}

static void open_ring(unsigned flags) {
    struct io_uring_params p = {.flags = flags, .sq_thread_idle = 100};
    ring = syscall(SYS_io_uring_setup, ENTRIES, &p);
    if (ring < 0 && (errno == ENOSYS || errno == EPERM)) {
        perror("io_uring_setup");
        exit(3);
    }
    check(ring >= 0, "io_uring_setup");
    char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(*cqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    sqes = mmap(0, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    check(sq != MAP_FAILED && cq != MAP_FAILED && (void *)sqes != MAP_FAILED, "mmap");
    sq_head = (void *)(sq + p.sq_off.head), sq_tail = (void *)(sq + p.sq_off.tail), sq_flags = (void *)(sq + p.sq_off.flags);
    sq_array = (void *)(sq + p.sq_off.array), sq_mask = *(unsigned *)(sq + p.sq_off.ring_mask);
    cq_head = (void *)(cq + p.cq_off.head), cq_tail = (void *)(cq + p.cq_off.tail), cqes = (void *)(cq + p.cq_off.cqes);
    cq_mask = *(unsigned *)(cq + p.cq_off.ring_mask);
}

static struct io_uring_sqe *ask(int op, int fd, const void *addr, unsigned len) {
    unsigned tail = *sq_tail, at = tail & sq_mask;
    struct io_uring_sqe *s = &sqes[at];
    memset(s, 0, sizeof(*s));
    s->opcode = op, s->fd = fd, s->addr = (uintptr_t)addr, s->len = len;
    sq_array[at] = at;
    asked++;
    return s;
}

static void ready(void) { __atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE); }

/* Submits what was asked and waits for `answers`; the result of the last one. */
static int finish(int answers) {
    int result = 0, submit = asked;
    asked = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    while (1) {
        unsigned head = *cq_head;
        for (; head != __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE); head++, answers--)
            result = cqes[head & cq_mask].res;
        __atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
        if (answers <= 0 && (polled || !submit))
            return result;
        unsigned flags = answers > 0 ? IORING_ENTER_GETEVENTS : 0;
        if (polled && __atomic_load_n(sq_flags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
            flags |= IORING_ENTER_SQ_WAKEUP;
        int done = syscall(SYS_io_uring_enter, ring, submit, answers > 0 ? 1 : 0, flags, NULL, 0);
        check(done >= 0 || errno == EINTR, "io_uring_enter");
        submit = polled ? 0 : submit - (done > 0 ? done : 0);
    }
}

static int one(void) {
    ready();
    int result = finish(1);
    errno = result < 0 ? -result : 0;
    return result;
}

/* As many to a call as the ring holds: requests that do nothing, or read 4 KiB of the last file. */
static void many(int op, long count) {
    while (count) {
        int turn = count < ENTRIES ? count : ENTRIES;
        for (int i = 0; i < turn; i++)
            ask(op, op == IORING_OP_NOP ? -1 : last, bytes, op == IORING_OP_NOP ? 0 : 4096), ready();
        finish(turn);
        count -= turn;
    }
}

static void opened(const char *path, int how, unsigned flags) {
    struct io_uring_sqe *s = ask(IORING_OP_OPENAT, AT_FDCWD, path, 0644);
    s->open_flags = how;
    s->flags = flags;
    check((last = one()) >= 0, path);
}

static void opened2(const char *path) {
    static struct open_how how = {.flags = O_RDONLY};
    ask(IORING_OP_OPENAT2, AT_FDCWD, path, sizeof(how))->off = (uintptr_t)&how;
    check((last = one()) >= 0, path);
}

/* Into a place of the ring's own table, the third or one that the kernel chooses: there is no descriptor. */
static void into_slot(const char *path, unsigned place) {
    static int none[4] = {-1, -1, -1, -1}, made;
    if (!made++)
        check(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, none, 4) == 0, "io_uring_register");
    ask(IORING_OP_OPENAT, AT_FDCWD, path, 0)->file_index = place;
    check(one() >= 0, path);
}

/* Its completion is not written. */
static void silent(const char *path) {
    ask(IORING_OP_OPENAT, AT_FDCWD, path, 0)->flags = IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    ready();
    ask(IORING_OP_NOP, -1, NULL, 0);  /* runs when the open is done */
    check(one() == 0, path);
}

/* A secret is opened and closed and another file opened, all before the first completion is written. */
static void batch(char *paths) {
    char *second = strchr(paths, ':');
    *second++ = 0;
    int first = open("/", O_RDONLY);  /* the number that will be free */
    close(first);
    ask(IORING_OP_OPENAT, AT_FDCWD, paths, 0), ready();
    ask(IORING_OP_CLOSE, first, NULL, 0), ready();
    ask(IORING_OP_OPENAT, AT_FDCWD, second, 0);
    ready();
    check(finish(3) == first, "batch");
}

static void talk(const char *step) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (!strcmp(step, "socket")) {
        ask(IORING_OP_SOCKET, AF_INET, NULL, 0)->off = SOCK_STREAM;
        check((last = one()) >= 0, step);
    } else if (!strncmp(step, "connect:", 8)) {
        to.sin_port = htons(atoi(step + 8));
        ask(IORING_OP_CONNECT, last, &to, 0)->off = sizeof(to);
        check(one() == 0, step);
    } else {
        ask(IORING_OP_SEND, last, bytes, atoi(step + 5));
        check(one() == atoi(step + 5), step);
    }
}

static void step(char *what) {
    char *of = strchr(what, ':');
    of = of ? of + 1 : "";
    if (!strncmp(what, "nop:", 4))
        many(IORING_OP_NOP, atol(of));
    else if (!strncmp(what, "read:", 5))
        many(IORING_OP_READ, atol(of));
    else if (!strncmp(what, "open:", 5))
        opened(of, O_RDONLY, 0);
    else if (!strncmp(what, "open2:", 6))
        opened2(of);
    else if (!strncmp(what, "write:", 6))
        opened(of, O_WRONLY | O_CREAT | O_TRUNC, 0);
    else if (!strncmp(what, "worker:", 7))
        opened(of, O_RDONLY, IOSQE_ASYNC);
    else if (!strncmp(what, "slot:", 5))
        into_slot(of, 3);
    else if (!strncmp(what, "chosen:", 7))
        into_slot(of, IORING_FILE_INDEX_ALLOC);
    else if (!strncmp(what, "silent:", 7))
        silent(of);
    else if (!strncmp(what, "batch:", 6))
        batch(of);
    else if (!strcmp(what, "close"))
        ask(IORING_OP_CLOSE, last, NULL, 0), check(one() == 0, what);
    else
        talk(what);
}

int main(int count, char **words) {
    polled = !strcmp(words[1], "sqpoll");
    open_ring(polled ? IORING_SETUP_SQPOLL : 0);
    for (int i = 2; i < count; i++)
        step(words[i]);
    return 0;
}
