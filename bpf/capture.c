// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Every system call of the scope as a record of 16 bytes, in batches of one CPU. Raw tracepoint sys_enter.
 * Sees: what `syscalls` sees, call by call. Misses: what it misses; calls while the ring is full, which are counted.
 * Costs: see docs/probes.md#capture. */

#define BATCH 128
#define FOREIGN 0x8000       /* bit of a row's number: a 32-bit call */
#define BEYOND 0x7fff        /* a number that has no room in a row */
#define NO_WAKEUP 1          /* BPF_RB_NO_WAKEUP */
#define FORCE_WAKEUP 2       /* BPF_RB_FORCE_WAKEUP */
#define WAKE_EVERY (CAPTURE_PAGES / 4)  /* batches of one CPU: an eighth of the ring; a slower stream is looked at by time */

struct row {
    u64 time;        /* ns, CLOCK_BOOTTIME */
    u32 tid;
    u16 number;
    u16 slot;
};

struct batch {
    u64 sequence;    /* of this CPU, counted on when a batch is lost: a gap is a loss */
    u32 cpu;
    u32 count;       /* rows that are whole; only grows within one sequence, so a reader may take a part early */
    struct row row[BATCH];
};
_Static_assert(sizeof(struct batch) == 2064, "update sensor/probes/abi.py");

BPF_F_TABLE("array", u32, struct batch, staged, CPUS, BPF_F_MMAPABLE);
BPF_RINGBUF_OUTPUT(captures, CAPTURE_PAGES);

static inline void lose(struct batch *b) {
    for (int i = 0; i < BATCH; i++)
        count_lost(b->row[i].slot, LOST_ROW);
}

static inline void pass_on(struct batch *b, u32 cpu) {
    b->cpu = cpu;
    if (captures.ringbuf_output(b, sizeof(*b), b->sequence & (WAKE_EVERY - 1) ? NO_WAKEUP : FORCE_WAKEUP))
        lose(b);
    b->count = 0;    /* before the sequence: no reader may take these rows for the next ones */
    asm volatile("" ::: "memory");
    b->sequence++;
}

static inline u16 row_number(u64 task, u64 number) {
    u16 known = number < BEYOND ? number : BEYOND;
    return *(u32 *)(task + OFF_TASK_STATUS) & 2 /* TS_COMPAT */ ? known | FOREIGN : known;
}

int capture_enter(struct bpf_raw_tracepoint_args *ctx) {
    u64 task = task_btf();
    u32 slot = task_slot(task);
    if (slot == NO_SLOT)
        return 0;
    u32 cpu = bpf_get_smp_processor_id();
    struct batch *b = staged.lookup(&cpu);
    if (!b)
        return 0;
    u32 n = b->count & (BATCH - 1);
    struct row *r = &b->row[n];
    r->time = bpf_ktime_get_boot_ns();
    r->tid = *(u32 *)(task + OFF_TASK_PID);
    r->number = row_number(task, ctx->args[1]);
    r->slot = slot;
    asm volatile("" ::: "memory");
    b->count = n + 1;
    if (n + 1 == BATCH)
        pass_on(b, cpu);
    return 0;
}
