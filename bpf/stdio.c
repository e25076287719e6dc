// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* JSON-RPC over pipes and unix socketpairs: what a watched process has read, at the return of its read and only on success.
 * Sees: read, readv, preadv2, recvfrom, recvmsg of lanes whose bytes begin as JSON; who wrote them, by write and its kin. Misses:
 * io_uring, 32-bit calls, bytes that are spliced on (counted), named pipes and sockets with names, a read whose descriptor another thread
 * replaces meanwhile. Costs: see docs/probes.md#stdio.
 *
 * The reader's side alone is read: a read returns before what it causes, so requests come before their answers in the ring, and the order of
 * two writers is that in which their lines really came. A lane is one direction of bytes: the inode of a pipe, or of the socket
 * that is read from. A compilation unit of its own: called by the program of files.c for the slots of agents, or attached by itself while
 * one is watched.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/ptrace.h>

#define STDIO_PIECE 16384          /* bytes of one record */
#define STDIO_PIECES 128           /* of one call, empty parts of a vector included: 2 MiB */
#define STDIO_SMALL 64             /* bytes of a read that wait for the next ones, until a line ends: some read byte by byte */
#define STDIO_HELD 192             /* bytes that wait at most */
#define STDIO_SEATS 16384
#define STDIO_TRIED (16 << 20)     /* bytes of a lane that may pass until user space has said what it is; a burst is faster than it */
#define STDIO_UNLIKE 256           /* so much does a byte count that comes in a read that does not begin as JSON: 64 KiB of them */
#define STDIO_WAKE (2 << 20)       /* bytes of a second after which the reader of the ring is woken */
#define STDIO_SECONDS 4            /* after which a spent budget is whole again: a burst may pass, a flood may not */
#define STDIO_RECORD 512           /* bytes that a record costs beside its own, in the budget of a second */

enum stdio_kind {
    STDIO_DATA = 1, STDIO_ENDED, STDIO_LEFT_ALONE
};

/* What is known of a lane. User space says SPOKEN, or LEFT, by `stdio_verdicts`. */
enum stdio_state {
    STDIO_NEW, STDIO_SPOKEN, STDIO_LEFT
};

/* What was not copied, in bytes; the last in lanes whose end was not told. */
enum stdio_loss {
    STDIO_LOST_RING, STDIO_LOST_BUDGET, STDIO_LOST_UNREADABLE, STDIO_LOST_LONG, STDIO_LOST_SPLICED, STDIO_LOST_END, STDIO_LOSSES
};

struct stdio_workload {
    u64 budget;      /* bytes that may be copied at once */
    u64 second;      /* the running one: ns of CLOCK_BOOTTIME >> 30 */
    u64 used;        /* of the budget */
    u64 calls;       /* reads of lanes that are read */
    u64 bytes;       /* that they moved, copied or not */
    u64 passed;      /* bytes that do not look like JSON, or of lanes that were left alone: seen by nobody, no loss */
    u64 lost[STDIO_LOSSES];
};
_Static_assert(sizeof(struct stdio_workload) == 96, "update sensor/probes/stdio.py");

struct stdio_chunk {
    u64 time;        /* ns, CLOCK_BOOTTIME, of the return */
    u64 cgroup;
    u64 lane;        /* inode number */
    u64 born;        /* its generation: ns, CLOCK_BOOTTIME, when we first met it */
    u64 mate;        /* of a socket: the lane of the other direction; 0 for a pipe */
    u64 offset;      /* of the first byte; of an end: bytes in all */
    u32 reader;      /* user-space pid: the kernel's tgid */
    u32 writer;      /* the last one; 0: not seen yet */
    u32 length;
    u16 kind;
    u16 fd;          /* of the reader; 65535: that or more */
};
_Static_assert(sizeof(struct stdio_chunk) == 64, "update sensor/probes/stdio.py");

struct stdio_lane {
    u64 born;
    u64 offset;      /* bytes read so far */
    u64 mate;
    u32 reader;
    u32 writer;
    u32 tried;       /* bytes until it is decided, weighed */
    u16 state;
    u8 told;         /* something of it went to user space */
    u8 within;       /* what was last copied of it did not end a line */
    u64 held;        /* bytes in `small`, the last ones before `offset` */
    char small[512]; /* more than is held: a mask must bound every index */
};
_Static_assert(sizeof(struct stdio_lane) == 560, "update sensor/probes/stdio.py");

struct stdio_verdict {
    u64 born;
    u64 state;
};

/* One call's bytes on their way. Not on the stack: there the verifier would follow each value through all turns of the loop. */
struct stdio_copy {
    u64 from;
    u64 room;        /* bytes left in this part */
    u64 parts;       /* address of the next part of a vector */
    u64 more;        /* how many there are */
    u64 left;        /* bytes in all */
    u64 wake;        /* how the reader of the ring is told */
};

struct stdio_scratch {
    struct stdio_copy copy;
    struct stdio_chunk chunk;
    char data[STDIO_PIECE];
};

BPF_ARRAY(stdio_seats, u64, STDIO_SEATS);    /* low bits of a cgroup's id -> how many such are watched: what others pay */
BPF_TABLE("hash", u64, struct stdio_workload, stdio_workloads, MAX_WORKLOADS);
BPF_TABLE("lru_hash", u64, struct stdio_lane, stdio_lanes, 8192);
BPF_ARRAY(stdio_no_lane, struct stdio_lane, 1);  /* what a lane begins as: too long for the stack */
BPF_TABLE("hash", u64, struct stdio_verdict, stdio_verdicts, 4096);
BPF_PERCPU_ARRAY(stdio_scratches, struct stdio_scratch, 1);  /* a program is not entered twice on one CPU */
BPF_RINGBUF_OUTPUT(stdio_chunks, CHUNK_PAGES);

static u64 (*stdio_task)(void) = (void *)BPF_FUNC_get_current_task_btf;
static long (*stdio_kernel)(void *, u32, const void *) = (void *)BPF_FUNC_probe_read_kernel;
static long (*stdio_user)(void *, u32, const void *) = (void *)BPF_FUNC_probe_read_user;

#define PEEK(type, address, offset) ({ type v_ = 0; stdio_kernel(&v_, sizeof(v_), (void *)((u64)(address) + (offset))); v_; })
#define PEEK_USER(type, address) ({ type v_ = 0; stdio_user(&v_, sizeof(v_), (void *)(u64)(address)); v_; })

static inline void stdio_lose(struct stdio_workload *w, u32 why, u64 n) {
    if (why < STDIO_LOSSES)
        __sync_fetch_and_add(&w->lost[why], n);
}

/* 0: no; 2: yes, and it is time to wake the reader of the ring, who looks by the clock otherwise.
 * The budget may pass by what two CPUs add at once; it is a bound of cost, not of rights. */
static inline int stdio_may_copy(struct stdio_workload *w, u64 n) {
    u64 second = bpf_ktime_get_boot_ns() >> 30;
    if (w->second != second) {
        u64 rest = (second - w->second) * (w->budget / STDIO_SECONDS);
        w->second = second;
        w->used = w->used > rest ? w->used - rest : 0;
    }
    if (w->used + n > w->budget)
        return 0;
    u64 before = w->used;
    __sync_fetch_and_add(&w->used, n);
    return 1 + (before / STDIO_WAKE != (before + n) / STDIO_WAKE);
}

/* -- ends: the two lanes that a descriptor leads to ----------------------------------------------------------------- */

struct stdio_end {
    u64 in;          /* the lane that is read here */
    u64 out;         /* the lane that is written to here; 0: its reader is gone */
    u8 socket;
};

#define S_IFMT_ 0170000
#define S_IFIFO_ 0010000
#define S_IFSOCK_ 0140000
#define AF_UNIX_ 1
#define SOCK_STREAM_ 1
#define PIPE_MAGIC 0x50495045

/* By plain loads, as far as the types go: a call of a helper costs more than all of them. */
static inline u64 stdio_file(u64 task, u32 fd) {
    u64 files = *(u64 *)(task + OFF_TASK_FILES);
    u64 table = files ? *(u64 *)(files + OFF_FILES_FDT) : 0;
    if (!table || fd >= *(u32 *)(table + OFF_FDT_MAX))
        return 0;
    return PEEK(u64, *(u64 *)(table + OFF_FDT_FD), (u64)fd * 8);
}

/* One half of a socketpair: a stream of AF_UNIX where neither side has a name. */
static inline int stdio_pair(u64 file, struct stdio_end *e) {
    u64 socket = PEEK(u64, file, OFF_FILE_PRIVATE);
    u64 sk = PEEK(u64, socket, OFF_SOCKET_SK);
    if (PEEK(u16, sk, OFF_SOCK_FAMILY) != AF_UNIX_ || PEEK(u16, socket, OFF_SOCKET_TYPE) != SOCK_STREAM_)
        return 0;
    u64 peer = PEEK(u64, sk, OFF_UNIX_PEER);
    if (!peer || PEEK(u64, sk, OFF_UNIX_ADDR) || PEEK(u64, peer, OFF_UNIX_ADDR))
        return 0;
    u64 other = PEEK(u64, peer, OFF_SOCK_SOCKET);
    e->socket = 1;
    e->out = 0;
    if (other)
        e->out = PEEK(u64, PEEK(u64, PEEK(u64, other, OFF_SOCKET_FILE), OFF_FILE_INODE), OFF_INODE_INO);
    return 1;
}

static inline int stdio_end_at(u64 file, struct stdio_end *e) {
    u64 inode = file ? PEEK(u64, file, OFF_FILE_INODE) : 0;
    u16 type = inode ? PEEK(u16, inode, OFF_INODE_MODE) & S_IFMT_ : 0;
    if (type == S_IFSOCK_) {
        if (!stdio_pair(file, e))
            return 0;
        e->in = PEEK(u64, inode, OFF_INODE_INO);
        return 1;
    }
    if (type != S_IFIFO_)
        return 0;
    e->in = e->out = PEEK(u64, inode, OFF_INODE_INO);
    e->socket = 0;
    struct stdio_lane *known = stdio_lanes.lookup(&e->in);  /* a named pipe is told from a pipe once */
    return known || PEEK(u64, PEEK(u64, inode, OFF_INODE_SB), OFF_SB_MAGIC) == PIPE_MAGIC;
}

/* -- calls ---------------------------------------------------------------------------------------------------------- */

enum stdio_how {
    STDIO_BUFFER = 1, STDIO_VECTOR, STDIO_MESSAGE, STDIO_MOVED, STDIO_WRITES
};

struct stdio_call {
    u64 data;        /* a buffer, a vector or a message header, in user space */
    u64 count;       /* bytes of the buffer, parts of the vector */
    u32 fd;
    u32 how;         /* 0: none of ours */
};

#define REG(n) regs[(REG_##n - REGS_FROM) / 8]

static inline void stdio_what(struct stdio_call *c, u64 from) {
    u64 regs[REGS] = {};
    u32 flags = 0;
    stdio_kernel(regs, sizeof(regs), (void *)(from + REGS_FROM));
    c->fd = REG(A);
    c->data = REG(B);
    c->count = REG(C);
    c->how = 0;
    switch ((u32)REG(NUMBER)) {
    case NR_READ:
        c->how = STDIO_BUFFER;
        break;
    case NR_READV:
    case NR_PREADV2:
        c->how = STDIO_VECTOR;
        break;
    case NR_RECVFROM:
        flags = REG(D);
        c->how = STDIO_BUFFER;
        break;
    case NR_RECVMSG:
        flags = c->count;
        c->how = STDIO_MESSAGE;
        break;
    case NR_SPLICE:                    /* from a pipe, or into one; of two pipes the one that is read */
        c->how = STDIO_MOVED;
        break;
    case NR_WRITE:
    case NR_WRITEV:
    case NR_PWRITEV2:
    case NR_SENDTO:
    case NR_SENDMSG:
    case NR_SENDMMSG:
    case NR_VMSPLICE:
    case NR_SENDFILE:
        c->how = STDIO_WRITES;
        break;
    }
    if (flags & 2 /* MSG_PEEK */)
        c->how = 0;                    /* it will be read again */
}

/* -- bytes on their way --------------------------------------------------------------------------------------------- */

/* 0: there is no such part. */
static inline int stdio_next_part(struct stdio_copy *t) {
    u64 part[2] = {};
    if (!t->more || stdio_user(part, sizeof(part), (void *)t->parts))
        return 0;
    t->parts += sizeof(part);
    t->more--;
    t->from = part[0];
    t->room = part[1];
    return 1;
}

static inline void stdio_aim(struct stdio_copy *t, struct stdio_call *c) {
    t->from = c->data;
    t->room = c->count;
    t->parts = t->more = 0;
    if (c->how == STDIO_BUFFER)
        return;
    t->room = 0;
    t->parts = c->data;
    t->more = c->count;
    if (c->how == STDIO_MESSAGE) {     /* struct user_msghdr: msg_iov at 16, msg_iovlen behind it */
        t->parts = PEEK_USER(u64, c->data + 16);
        t->more = PEEK_USER(u64, c->data + 24);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++)        /* empty ones before the first bytes; more of them are passed over where bytes are copied */
        if (!t->room)
            stdio_next_part(t);
}

static inline void stdio_fill(struct stdio_chunk *k, u64 id, struct stdio_lane *lane, u16 kind, u32 fd) {
    k->time = bpf_ktime_get_boot_ns();
    k->cgroup = bpf_get_current_cgroup_id();
    k->lane = id;
    k->born = lane->born;
    k->mate = lane->mate;
    k->reader = lane->reader;
    k->writer = lane->writer;
    k->kind = kind;
    k->fd = fd < 65535 ? fd : 65535;
}

static inline void stdio_send(struct stdio_workload *w, struct stdio_scratch *s, u64 n) {
    u32 size = n - 1;
    asm volatile("%0 &= 16383\n%0 += 1" : "+r"(size));  /* for the verifier, which does not believe an if */
    s->chunk.length = size;
    if (stdio_user(s->data, size, (void *)s->copy.from)) {
        stdio_lose(w, STDIO_LOST_UNREADABLE, size);
        return;
    }
    if (stdio_chunks.ringbuf_output(&s->chunk, sizeof(struct stdio_chunk) + size, s->copy.wake))
        stdio_lose(w, STDIO_LOST_RING, size);
}

static inline void stdio_copy_all(struct stdio_workload *w, struct stdio_scratch *s) {
    struct stdio_copy *t = &s->copy;
#pragma clang loop unroll(disable)
    for (int i = 0; i < STDIO_PIECES; i++) {
        if (!t->left)
            break;
        if (!t->room) {
            if (!stdio_next_part(t))
                break;
            continue;
        }
        u64 n = t->left < t->room ? t->left : t->room;
        if (n > STDIO_PIECE)
            n = STDIO_PIECE;
        stdio_send(w, s, n);
        s->chunk.offset += n;
        t->from += n;
        t->room -= n;
        t->left -= n;
    }
    if (t->left)
        stdio_lose(w, STDIO_LOST_LONG, t->left);
}

/* -- lanes ---------------------------------------------------------------------------------------------------------- */

static inline struct stdio_lane *stdio_lane_of(u64 id) {
    struct stdio_lane *lane = stdio_lanes.lookup(&id);
    if (lane)
        return lane;
    int only = 0;
    struct stdio_lane *new = stdio_no_lane.lookup(&only);
    if (!new || stdio_lanes.insert(&id, new))
        return stdio_lanes.lookup(&id);  /* another CPU met it now */
    lane = stdio_lanes.lookup(&id);
    if (lane)
        lane->born = bpf_ktime_get_boot_ns();
    return lane;
}

static inline struct stdio_scratch *stdio_scratch_here(void) {
    int only = 0;
    return stdio_scratches.lookup(&only);
}

/* A record without bytes. */
static inline void stdio_tell(struct stdio_workload *w, u64 id, struct stdio_lane *lane, u16 kind, u32 fd) {
    struct stdio_scratch *s = stdio_scratch_here();
    if (!s)
        return;
    stdio_fill(&s->chunk, id, lane, kind, fd);
    s->chunk.offset = lane->offset;
    s->chunk.length = 0;
    if (stdio_chunks.ringbuf_output(&s->chunk, sizeof(struct stdio_chunk), BPF_RB_NO_WAKEUP))
        stdio_lose(w, STDIO_LOST_END, 1);
}

static inline void stdio_hear(u64 id, struct stdio_lane *lane) {
    struct stdio_verdict *v = stdio_verdicts.lookup(&id);
    if (!v)
        return;
    if (v->born == lane->born)
        lane->state = v->state;
    stdio_verdicts.delete(&id);
}

static inline int stdio_looks_like_json(u64 from) {
    u8 first = PEEK_USER(u8, from);
    return first == '{' || first == '[' || first == ' ' || (first >= 9 && first <= 13);
}

/* Whether these bytes of an undecided lane are read. After enough of them the lane is left alone for good. */
static inline int stdio_tries(struct stdio_workload *w, u64 id, struct stdio_lane *lane, struct stdio_copy *t, u32 fd) {
    u64 n = t->left;
    int like = lane->within || stdio_looks_like_json(t->from);
    u64 weight = like ? n : n * STDIO_UNLIKE;
    if (lane->tried + weight > STDIO_TRIED) {
        lane->state = STDIO_LEFT;
        if (lane->told)                /* else it never looked like it: a pipe as there are many */
            stdio_tell(w, id, lane, STDIO_LEFT_ALONE, fd);
        return 0;
    }
    lane->tried += weight;
    lane->within = like && (n > t->room || PEEK_USER(u8, t->from + n - 1) != '\n');  /* of a vector: it may go on */
    if (!like)
        __sync_fetch_and_add(&w->passed, n);
    return like;
}

/* Puts a small read behind the ones before. 1: they are to be sent now. */
static inline int stdio_hold(struct stdio_workload *w, struct stdio_lane *lane, u64 from, u64 n) {
    u32 at = lane->held, size = n;
    asm volatile("%0 &= 255" : "+r"(at));
    asm volatile("%0 &= 127" : "+r"(size));
    if (stdio_user(&lane->small[at], size, (void *)from)) {
        stdio_lose(w, STDIO_LOST_UNREADABLE, at + size);
        lane->held = 0;
        return 0;
    }
    lane->held = at + size;
    u32 last = at + size - 1;
    asm volatile("%0 &= 511" : "+r"(last));
    return lane->held >= STDIO_HELD || lane->small[last] == '\n';
}

/* Sends what small reads left; `end`: the offset behind it. */
static inline void stdio_send_held(struct stdio_workload *w, u64 id, struct stdio_lane *lane, u32 fd, u64 end) {
    struct stdio_scratch *s = stdio_scratch_here();
    u32 size = lane->held;
    asm volatile("%0 &= 511" : "+r"(size));
    if (!s || !size)
        return;
    lane->held = 0;
    if (!stdio_may_copy(w, size + STDIO_RECORD)) {
        stdio_lose(w, STDIO_LOST_BUDGET, size);
        return;
    }
    stdio_fill(&s->chunk, id, lane, STDIO_DATA, fd);
    s->chunk.offset = end - size;
    s->chunk.length = size;
    stdio_kernel(s->data, size, lane->small);
    if (stdio_chunks.ringbuf_output(&s->chunk, sizeof(struct stdio_chunk) + size, BPF_RB_NO_WAKEUP))
        stdio_lose(w, STDIO_LOST_RING, size);
}

static inline void stdio_ended(struct stdio_workload *w, u64 id, struct stdio_lane *lane, u32 fd) {
    stdio_send_held(w, id, lane, fd, lane->offset);
    if (lane->told)
        stdio_tell(w, id, lane, STDIO_ENDED, fd);
    stdio_lanes.delete(&id);
}

static inline void stdio_read(struct stdio_workload *w, struct stdio_call *c, struct stdio_end *e, u64 n) {
    struct stdio_lane *lane = stdio_lane_of(e->in);
    struct stdio_scratch *s = stdio_scratch_here();
    if (!lane || !s)
        return;
    if (!n) {
        if (c->count)                  /* who asks for nothing gets nothing, and that is no end */
            stdio_ended(w, e->in, lane, c->fd);
        return;
    }
    if (lane->state != STDIO_SPOKEN || (lane->offset ^ (lane->offset + n)) >> 16)
        stdio_hear(e->in, lane);       /* also of a lane that was left, for it may have been too fast for user space; else now and then */
    if (lane->state == STDIO_LEFT) {
        lane->offset += n;
        __sync_fetch_and_add(&w->passed, n);
        return;
    }
    lane->reader = bpf_get_current_pid_tgid() >> 32;
    lane->mate = e->socket ? e->out : 0;
    struct stdio_copy *t = &s->copy;
    t->left = n;
    stdio_aim(t, c);
    u64 offset = lane->offset;
    lane->offset += n;                 /* two threads that read one lane at the same time may get one offset */
    if (c->how == STDIO_MOVED) {
        stdio_send_held(w, e->in, lane, c->fd, offset);
        stdio_lose(w, STDIO_LOST_SPLICED, lane->told ? n : 0);
        return;
    }
    if (lane->state == STDIO_NEW && !stdio_tries(w, e->in, lane, t, c->fd))
        return;
    __sync_fetch_and_add(&w->calls, 1);
    __sync_fetch_and_add(&w->bytes, n);
    lane->told = 1;
    if (c->how == STDIO_BUFFER && n <= STDIO_SMALL) {
        if (stdio_hold(w, lane, t->from, n))
            stdio_send_held(w, e->in, lane, c->fd, offset + n);
        return;
    }
    stdio_send_held(w, e->in, lane, c->fd, offset);
    int may = stdio_may_copy(w, n + STDIO_RECORD);
    if (!may) {
        stdio_lose(w, STDIO_LOST_BUDGET, n);
        return;
    }
    t->wake = may > 1 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
    stdio_fill(&s->chunk, e->in, lane, STDIO_DATA, c->fd);
    s->chunk.offset = offset;
    stdio_copy_all(w, s);
}

/* -- the hook ------------------------------------------------------------------------------------------------------- */

static inline void stdio_written(struct stdio_end *e) {
    struct stdio_lane *lane = e->out ? stdio_lane_of(e->out) : 0;
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    if (lane && lane->writer != pid)
        lane->writer = pid;
}

static inline struct stdio_workload *stdio_workload_of(u64 cgroup) {
#if SCOPE_LEVEL > 0
    if (bpf_get_current_ancestor_cgroup_id(SCOPE_LEVEL) != SCOPE_CGROUP)
        return 0;
#endif
    return stdio_workloads.lookup(&cgroup);
}

static inline void stdio_here(u64 task, u64 cgroup, u64 regs, u64 result) {
    struct stdio_call c;
    struct stdio_end e;
    stdio_what(&c, regs);
    if (!c.how)
        return;
    int is_end = stdio_end_at(stdio_file(task, c.fd), &e);
    if (c.how == STDIO_MOVED && !is_end) {
        c.fd = c.count;                /* where it goes */
        c.how = STDIO_WRITES;
        is_end = stdio_end_at(stdio_file(task, c.fd), &e);
    }
    struct stdio_workload *w = is_end ? stdio_workload_of(cgroup) : 0;
    if (!w)
        return;
    if (c.how == STDIO_WRITES)
        stdio_written(&e);
    else
        stdio_read(w, &c, &e, result);
}

/* The first lines are what every other process of the machine pays for. */
int stdio_exit(struct bpf_raw_tracepoint_args *ctx) {
    u64 result = ctx->args[1];
    if (result > 1ULL << 31)
        return 0;                      /* it failed */
    u64 task = stdio_task();
    u64 set = *(u64 *)(task + OFF_TASK_CGROUPS);
    u64 node = *(u64 *)(*(u64 *)(set + OFF_CSS_SET_DFL) + OFF_CGROUP_KN);
    u64 cgroup = *(u64 *)(node + OFF_KN_ID);
    u32 k = cgroup & (STDIO_SEATS - 1);
    u64 *seat = stdio_seats.lookup(&k);
    if (!seat || !*seat || IS_32_BIT)
        return 0;
    stdio_here(task, cgroup, ctx->args[0], result);
    return 0;
}
