// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What is asked of io_uring, per cgroup and opcode: counts, and what is new. Raw tracepoint io_uring_submit_req (before Linux 6.3
 * io_uring_submit_sqe), which fires for every request that the kernel takes from a ring, in the task that takes it: the one that
 * calls io_uring_enter, or the kernel's thread of the ring (SQPOLL), which is of the same cgroup. Files that a ring opened are told as
 * those of system calls are (bpf/files.c), at raw tracepoint io_uring_complete, which fires in the task that asked, or in a worker of
 * its own: all share one table of open files.
 * Sees: every request of a known opcode, also one that then fails; opened files. Misses: arguments and results of all else; files
 * whose open has no completion (counted), or one that finds no room. Costs: see docs/probes.md#io_uring. */

#define RING_OPS 80      /* opcodes counted one by one, and the two below; Linux 6.18 has 63 */
#define RING_UNNAMED 78  /* files opened of which nobody can say which */
#define RING_BEYOND 79   /* opcodes past the table */
#define RING_OPENAT 18
#define RING_OPENAT2 28
#define RING_SILENT 64   /* flag of a request: IOSQE_CQE_SKIP_SUCCESS */

struct ring_ops {
    u64 count[RING_OPS];
};
_Static_assert(sizeof(struct ring_ops) == 640, "update sensor/probes/abi.py");

BPF_F_TABLE("array", u32, struct ring_ops, ring_ops, MAX_SLOTS * CPUS, BPF_F_MMAPABLE);  /* slot * CPUS + cpu: no atomics */
BPF_TABLE("array", u32, struct ring_ops, ring_ops_told, MAX_SLOTS);                     /* what the daemon has delivered */

static inline void first_ring_op(u32 slot, u32 op) {
    struct slot *s = slots.lookup(&slot);
    if (s)
        s->rings = 1;
    send_fact(FACT_RING, slot, process_image(bpf_get_current_pid_tgid() >> 32), op, 0, 0);
}

static inline void count_ring_op(u32 slot, u32 op) {
    u32 k = slot * CPUS + bpf_get_smp_processor_id();
    struct ring_ops *r = ring_ops.lookup(&k);
    if (!r || op >= RING_OPS)
        return;
    if (r->count[op]++ == 0)
        first_ring_op(slot, op);
}

static inline int ring_opens(u32 op) { return op == RING_OPENAT || op == RING_OPENAT2; }

int ring_submitted(struct bpf_raw_tracepoint_args *ctx) {
    u64 task = task_btf();
    u32 slot = task_slot(task);
    if (slot == NO_SLOT)
        return 0;
    u32 op = PEEK(u8, ctx->args[0], OFF_KIOCB_OPCODE);
    count_ring_op(slot, op < RING_UNNAMED ? op : RING_BEYOND);
#ifdef WITH_FILES
    if (ring_opens(op) && PEEK(u32, ctx->args[0], OFF_KIOCB_FLAGS) & RING_SILENT)
        count_ring_op(slot, RING_UNNAMED);  /* should it fail after all, it is one too many */
#endif
    return 0;
}

#ifdef WITH_FILES
/* Of the table that a ring has of its own, whose files have no descriptor; place and number are the request's and its result's. */
static inline u64 ring_own_file(u64 request, u32 place, u32 result) {
    u64 ring = PEEK(u64, request, OFF_KIOCB_RING);
    u64 at = place == ~0U ? result : place - 1;  /* ~0: the kernel chose one, and says which */
#if defined(OFF_RING_NODES) && defined(OFF_RING_NODES_MAX) && defined(OFF_NODE_FILE)    /* since Linux 6.13 */
    if (at >= PEEK(u32, ring, OFF_RING_NODES_MAX))
        return 0;
    u64 node = PEEK(u64, PEEK(u64, ring, OFF_RING_NODES), at * 8);
    return node ? PEEK(u64, node, OFF_NODE_FILE) & ~7ULL : 0;  /* the lower bits are flags */
#elif defined(OFF_RING_FILES) && defined(OFF_RING_FILES_MAX)
    return at < PEEK(u32, ring, OFF_RING_FILES_MAX) ? PEEK(u64, PEEK(u64, ring, OFF_RING_FILES), at * 8) & ~7ULL : 0;
#else
    return 0;
#endif
}

int ring_completed(struct bpf_raw_tracepoint_args *ctx) {
    u64 request = ctx->args[1];
    if (!request || !ring_opens(PEEK(u8, request, OFF_KIOCB_OPCODE)))
        return 0;        /* none: one of many completions of a request */
    int result = PEEK(int, request, OFF_KIOCB_RESULT);
    u64 task = task_btf();
    u32 slot = task_slot(task);
    if (result < 0 || slot == NO_SLOT)
        return 0;
    u32 place = PEEK(u32, request, OFF_OPEN_SLOT);
    if (!note_file(slot, task, place ? ring_own_file(request, place, result) : open_file(task, result)))
        count_ring_op(slot, RING_UNNAMED);
    return 0;
}
#endif
