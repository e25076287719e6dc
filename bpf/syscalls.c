// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* System calls per cgroup: counts per number, hashed trigrams of each thread, what is new. Raw tracepoint sys_enter.
 * Sees: every call that seccomp lets through, from a cgroup's first one on. Misses: calls that seccomp denied (it runs
 * before), work that io_uring does without a call. Costs: see docs/probes.md#syscalls. */

struct calls {
    u64 count[CALLS];
    u64 foreign;     /* 32-bit calls */
    u64 beyond;      /* numbers past the table, x32 among them */
    u64 reserved[6];
};
_Static_assert(sizeof(struct calls) == 4160, "update sensor/probes/abi.py");

struct gram_bits {
    u64 word[GRAM_WORDS];
};

BPF_F_TABLE("array", u32, struct calls, calls, MAX_SLOTS * CPUS, BPF_F_MMAPABLE);  /* slot * CPUS + cpu: no atomics */
BPF_F_TABLE("array", u32, struct calls, calls_told, MAX_SLOTS, BPF_F_MMAPABLE);    /* what the daemon has delivered */
BPF_F_TABLE("array", u32, struct gram_bits, grams, MAX_SLOTS, BPF_F_MMAPABLE);

#define SETTING_UP 10000000000ULL  /* ns */

/* Whether a runtime or a service manager is still at work: a process whose last exec was in another part of the machine, until
 * its first exec here. It mounts, unshares and changes users in every container; counted, that would be usual for each. */
static inline int sets_up(void) {
    u32 pid = bpf_get_current_pid_tgid() >> 32;
    struct process *p = processes.lookup(&pid);
    u32 here = home_here();
    if (!p || p->home == here)
        return 0;
    u64 now = bpf_ktime_get_boot_ns();
    if (!p->started)
        p->started = now;
    if (now - p->started < SETTING_UP)
        return 1;
    p->home = here;  /* moved here to stay */
    return 0;
}

static inline void first_call(u32 slot, u64 number) {
    send_fact(FACT_SYSCALL, slot, process_image(bpf_get_current_pid_tgid() >> 32), number, 0, 0);
}

static inline void first_gram(u32 slot, u64 *word, u64 bit, u32 gram) {
    *word |= bit;  /* a race with another CPU may drop a bit; the next occurrence sets it again */
    send_fact(FACT_GRAM, slot, process_image(bpf_get_current_pid_tgid() >> 32), gram, 0, 0);
}

static inline void note_gram(u32 slot, u32 tid, u32 number) {
    u32 k = tid_key(tid);
    u64 *last = tids.lookup(&k);
    struct gram_bits *bits = grams.lookup(&slot);
    if (!last || !bits)
        return;
    u64 before = *last;
    u32 gram = ((before >> 32 == tid ? (u32)before & 0xfffff : 0) << 10) | (number + 1);
    *last = (u64)tid << 32 | gram;
    u32 h = (gram * 0x9E3779B1u) >> 15;
    u64 *word = &bits->word[(h >> 6) & (GRAM_WORDS - 1)];
    u64 bit = 1ULL << (h & 63);
    if (!(*word & bit))
        first_gram(slot, word, bit, gram);
}

RAW_TRACEPOINT_PROBE(sys_enter) {
    u64 task = task_btf();
    u32 slot = task_slot(task);
    if (slot == NO_SLOT)
        return 0;
    u32 k = slot * CPUS + bpf_get_smp_processor_id();
    struct calls *c = calls.lookup(&k);
    if (!c)
        return 0;
    u64 number = ctx->args[1];
    if (*(u32 *)(task + OFF_TASK_STATUS) & 2 /* TS_COMPAT */) {
        c->foreign++;
        number = CALLS;  /* one symbol for all: its own number would look like another call */
    } else if (number >= CALLS) {
        c->beyond++;
        number = CALLS;
    } else if (c->count[number] == 0 && sets_up())
        return 0;
    else if (c->count[number]++ == 0)
        first_call(slot, number);
    note_gram(slot, *(u32 *)(task + OFF_TASK_PID), number);
    return 0;
}
