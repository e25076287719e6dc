// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Plaintext of TLS where a library hands it over: SSL_read, SSL_write and their _ex forms, at return and only on success.
 * Sees: what watched workloads read and write through functions that have symbols. Misses: stripped TLS, early data, kTLS sendfile,
 * calls in flight while it is attached. Costs: see docs/probes.md#tls.
 *
 * A compilation unit of its own: it is loaded when the first agent is watched, attached to processes one by one, and nothing of
 * it is pinned. Only cgroups that user space entered in `tls_workloads` are read; that table is filter, budget and loss counters.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/ptrace.h>

#define TLS_PIECE 16384            /* bytes of one record: a TLS record holds no more */
#define TLS_PIECES 256             /* of one call: 4 MiB */
#define TLS_SENT 0
#define TLS_RECEIVED 1
#define TLS_WHOLE 1                /* flag: the connection was made while we watched, so offset 0 is its beginning */

enum tls_kind {
    TLS_DATA = 1, TLS_CLOSED
};

/* What was not copied, in bytes; the last two in calls. */
enum tls_loss {
    TLS_LOST_RING, TLS_LOST_BUDGET, TLS_LOST_UNREADABLE, TLS_LOST_LONG, TLS_LOST_CALL, TLS_LOST_CLOSE, TLS_LOSSES
};

struct tls_workload {
    u64 budget;      /* bytes that may be copied in about a second */
    u64 second;      /* the running one: ns of CLOCK_BOOTTIME >> 30 */
    u64 used;        /* bytes copied in it */
    u64 calls;       /* that moved bytes */
    u64 bytes;       /* that they moved, copied or not */
    u64 lost[TLS_LOSSES];
};
_Static_assert(sizeof(struct tls_workload) == 88, "update sensor/probes/tls.py");

struct tls_chunk {
    u64 time;        /* ns, CLOCK_BOOTTIME, of the return */
    u64 cgroup;
    u64 ssl;         /* address of the connection's object */
    u64 born;        /* its generation: ns, CLOCK_BOOTTIME, when we first met it at this address */
    u64 offset;      /* of the first byte in its direction; of a closed one: bytes sent in all */
    u64 received;    /* of a closed one: bytes received in all */
    u32 pid;         /* user-space pid: the kernel's tgid */
    u32 tid;
    u32 length;
    u8 direction;
    u8 kind;
    u16 flags;
    char data[0];
};
_Static_assert(sizeof(struct tls_chunk) == 64, "update sensor/probes/tls.py");

struct tls_stream_id {
    u64 ssl;
    u64 pid;
};

struct tls_stream {
    u64 born;
    u64 offset[2];   /* bytes so far, by direction */
    u64 flags;
};

struct tls_call_id {
    u64 thread;
    u64 stack;       /* pointer at the call: a call within a call has another */
};

struct tls_call {
    u64 ssl;
    u64 data;
    u64 count;       /* where the _ex forms write how many; 0: the function returns it */
};

BPF_TABLE("hash", u64, struct tls_workload, tls_workloads, MAX_WORKLOADS);
BPF_TABLE("lru_hash", struct tls_stream_id, struct tls_stream, tls_streams, 16384);
BPF_TABLE("lru_hash", struct tls_call_id, struct tls_call, tls_calls, 8192);
BPF_RINGBUF_OUTPUT(tls_chunks, CHUNK_PAGES);

static long (*tls_read_user)(void *, u32, const void *) = (void *)BPF_FUNC_probe_read_user;

static inline struct tls_workload *tls_workload_here(void) {
    u64 cgroup = bpf_get_current_cgroup_id();
#if SCOPE_LEVEL > 0
    if (bpf_get_current_ancestor_cgroup_id(SCOPE_LEVEL) != SCOPE_CGROUP)
        return 0;
#endif
    return tls_workloads.lookup(&cgroup);
}

static inline void tls_lose(struct tls_workload *w, u32 why, u64 n) {
    if (why < TLS_LOSSES)
        __sync_fetch_and_add(&w->lost[why], n);
}

/* A second's bytes may pass by what two CPUs add at once; it is a bound of cost, not of rights. */
static inline int tls_may_copy(struct tls_workload *w, u64 n) {
    u64 second = bpf_ktime_get_boot_ns() >> 30;
    if (w->second != second) {
        w->second = second;
        w->used = 0;
    }
    if (w->used + n > w->budget)
        return 0;
    __sync_fetch_and_add(&w->used, n);
    return 1;
}

static inline struct tls_stream *tls_make_stream(struct tls_stream_id *id, u64 flags) {
    struct tls_stream new = {.born = bpf_ktime_get_boot_ns(), .flags = flags};
    tls_streams.update(id, &new);
    return tls_streams.lookup(id);
}

static inline void tls_fill(struct tls_chunk *c, u64 ssl, u64 born, u16 flags, u8 kind) {
    u64 who = bpf_get_current_pid_tgid();
    c->time = bpf_ktime_get_boot_ns();
    c->cgroup = bpf_get_current_cgroup_id();
    c->ssl = ssl;
    c->born = born;
    c->received = 0;
    c->pid = who >> 32;
    c->tid = who;
    c->kind = kind;
    c->flags = flags;
}

struct tls_copy {    /* one call's bytes on their way */
    struct tls_workload *workload;
    u64 ssl;
    u64 born;
    u64 from;
    u64 offset;
    u64 left;
    u16 flags;
    u8 direction;
};

/* Straight from the process into the ring: a per-CPU buffer between would mix two workloads, since a program at a function may be
 * preempted by another one on its CPU. Nobody is woken: the reader looks by the clock, and is called for large bodies only. */
static inline void tls_send(struct tls_copy *t, u64 room, u32 n, u64 wake) {
    struct tls_chunk *c = tls_chunks.ringbuf_reserve(sizeof(struct tls_chunk) + room);
    if (!c) {
        tls_lose(t->workload, TLS_LOST_RING, n);
        return;
    }
    tls_fill(c, t->ssl, t->born, t->flags, TLS_DATA);
    c->offset = t->offset;
    c->direction = t->direction;
    c->length = n;
    if (tls_read_user(c->data, n, (void *)t->from)) {
        tls_lose(t->workload, TLS_LOST_UNREADABLE, n);
        tls_chunks.ringbuf_discard(c, BPF_RB_NO_WAKEUP);
        return;
    }
    tls_chunks.ringbuf_submit(c, wake);
}

/* A rest of 1 to `room` bytes, `room` a power of two and a constant; the mask is for the verifier, which does not believe an if. */
static inline void tls_send_rest(struct tls_copy *t, u64 room, u64 wake) {
    u32 n = t->left - 1, mask = room - 1;
    asm volatile("%0 &= %1\n%0 += 1" : "+r"(n) : "r"(mask));
    tls_send(t, room, n, wake);
}

static inline void tls_copy_all(struct tls_copy *t) {
    u64 wake = t->left > 4 * TLS_PIECE ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
    for (int i = 0; i < TLS_PIECES; i++) {
        if (t->left <= TLS_PIECE)
            break;
        tls_send(t, TLS_PIECE, TLS_PIECE, BPF_RB_NO_WAKEUP);
        t->from += TLS_PIECE;
        t->offset += TLS_PIECE;
        t->left -= TLS_PIECE;
    }
    if (t->left > TLS_PIECE)
        tls_lose(t->workload, TLS_LOST_LONG, t->left);
    else if (t->left > 8192)
        tls_send_rest(t, 16384, wake);
    else if (t->left > 4096)
        tls_send_rest(t, 8192, wake);
    else if (t->left > 2048)
        tls_send_rest(t, 4096, wake);
    else if (t->left > 1024)
        tls_send_rest(t, 2048, wake);
    else if (t->left > 512)
        tls_send_rest(t, 1024, wake);
    else if (t->left > 256)
        tls_send_rest(t, 512, wake);
    else if (t->left)
        tls_send_rest(t, 256, wake);
}

static inline int tls_enter(struct pt_regs *ctx, u64 count) {
    if (!tls_workload_here())
        return 0;
    struct tls_call_id id = {.thread = bpf_get_current_pid_tgid(), .stack = PT_REGS_SP(ctx)};
    struct tls_call call = {.ssl = PT_REGS_PARM1(ctx), .data = PT_REGS_PARM2(ctx), .count = count};
    tls_calls.update(&id, &call);
    return 0;
}

/* How many bytes a call moved; 0: none, it failed or must be called again. */
static inline u64 tls_moved(struct pt_regs *ctx, struct tls_call *call, int *unknown) {
    int result = PT_REGS_RC(ctx);
    u64 n = 0;
    if (!call->count)
        return result > 0 ? result : 0;
    if (result != 1)
        return 0;
    *unknown = tls_read_user(&n, sizeof(n), (void *)call->count) != 0;
    return n;
}

static inline void tls_take(struct tls_workload *w, struct tls_call *call, u64 n, u8 direction) {
    struct tls_stream_id id = {.ssl = call->ssl, .pid = bpf_get_current_pid_tgid() >> 32};
    struct tls_stream *s = tls_streams.lookup(&id);
    if (!s)
        s = tls_make_stream(&id, 0);   /* open before we came */
    if (!s)
        return;
    struct tls_copy t = {.workload = w, .ssl = id.ssl, .from = call->data, .left = n, .direction = direction};
    t.born = s->born;
    t.flags = s->flags;
    t.offset = s->offset[direction & 1];
    s->offset[direction & 1] += n;     /* one thread at a time may use a connection in one direction */
    __sync_fetch_and_add(&w->calls, 1);
    __sync_fetch_and_add(&w->bytes, n);
    if (tls_may_copy(w, n))
        tls_copy_all(&t);
    else
        tls_lose(w, TLS_LOST_BUDGET, n);
}

static inline int tls_leave(struct pt_regs *ctx, u8 direction) {
    struct tls_workload *w = tls_workload_here();
    if (!w)
        return 0;
    struct tls_call_id id = {.thread = bpf_get_current_pid_tgid(), .stack = PT_REGS_SP(ctx) - RETURN_ADDRESS};
    struct tls_call *found = tls_calls.lookup(&id);
    if (!found) {
        tls_lose(w, TLS_LOST_CALL, 1);
        return 0;
    }
    struct tls_call call = *found;
    tls_calls.delete(&id);
    int unknown = 0;
    u64 n = tls_moved(ctx, &call, &unknown);
    if (unknown) {                     /* offsets would be wrong from here on: the connection begins anew, as one we joined */
        struct tls_stream_id stream = {.ssl = call.ssl, .pid = bpf_get_current_pid_tgid() >> 32};
        tls_streams.delete(&stream);
        tls_lose(w, TLS_LOST_CALL, 1);
        return 0;
    }
    if (n)
        tls_take(w, &call, n, direction);
    return 0;
}

int tls_enter_plain(struct pt_regs *ctx) { return tls_enter(ctx, 0); }
int tls_enter_ex(struct pt_regs *ctx) { return tls_enter(ctx, PT_REGS_PARM4(ctx)); }
int tls_leave_sent(struct pt_regs *ctx) { return tls_leave(ctx, TLS_SENT); }
int tls_leave_received(struct pt_regs *ctx) { return tls_leave(ctx, TLS_RECEIVED); }

/* SSL_new returns. */
int tls_made(struct pt_regs *ctx) {
    struct tls_stream_id id = {.ssl = PT_REGS_RC(ctx), .pid = bpf_get_current_pid_tgid() >> 32};
    if (id.ssl && tls_workload_here())
        tls_make_stream(&id, TLS_WHOLE);
    return 0;
}

/* SSL_free is called. With more than one holder it goes on living: then it is one we joined. */
int tls_freed(struct pt_regs *ctx) {
    struct tls_workload *w = tls_workload_here();
    struct tls_stream_id id = {.ssl = PT_REGS_PARM1(ctx), .pid = bpf_get_current_pid_tgid() >> 32};
    struct tls_stream *s = w ? tls_streams.lookup(&id) : 0;
    if (!s)
        return 0;
    if (!s->offset[0] && !s->offset[1])
        goto forget;                   /* nothing was said */
    struct tls_chunk *c = tls_chunks.ringbuf_reserve(sizeof(struct tls_chunk));
    if (!c) {
        tls_lose(w, TLS_LOST_CLOSE, 1);
        goto forget;
    }
    tls_fill(c, id.ssl, s->born, s->flags, TLS_CLOSED);
    c->offset = s->offset[TLS_SENT];
    c->received = s->offset[TLS_RECEIVED];
    c->length = 0;
    c->direction = 0;
    tls_chunks.ringbuf_submit(c, BPF_RB_NO_WAKEUP);
forget:
    tls_streams.delete(&id);
    return 0;
}
