// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What every probe shares: layouts, seats (which cgroup has which slot), loss counters, path walk.
 *
 * Kernel structs are read by offsets that the loader takes from the running kernel's BTF (-DOFF_...), so the headers
 * that this is compiled with need not match the kernel.
 * The loader puts all probe files behind this one and compiles them as one program.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/ptrace.h>

#define CALLS 512             /* system call numbers counted one by one */
#define GRAM_WORDS 2048       /* 2^17 bits */
#define NO_SLOT 0             /* a seat that is empty */
#define OUTSIDE 16383         /* a seat of a cgroup that is not observed */
#define SEAT_BITS 14
#define SEATS (1 << SEAT_BITS)
#define TIDS 65536
#define PATH_BYTES 512
#define NAME_BYTES 128        /* longest part of a path that is kept whole */
#define ARGV_BYTES 512
#define PAYLOAD_BYTES 1536
#define SCRIPT_BYTES 256

enum fact_kind {
    FACT_SEAT = 1, FACT_LEFT, FACT_SYSCALL, FACT_GRAM, FACT_FORK, FACT_EXIT, FACT_EXEC, FACT_FLOW, FACT_OPEN,
    FACT_DNS, FACT_HELLO, FACT_FOUND, FACT_DIAL, FACT_RING
};

/* Why something was lost; one counter per slot and reason. Slot 0 holds what belongs to no slot. */
enum loss {
    LOST_FACT, LOST_PATH, LOST_EXEC, LOST_PAYLOAD, LOST_FLOW, LOST_FILE, LOST_PROCESS, LOST_SEAT, LOST_ROW, LOSSES
};
enum shared {            /* tables of which a workload has a share */
    SHARED_FILES, SHARED_FLOWS, SHARED
};

#define CUT_PATH 1
#define CUT_ARGV 2
#define CUT_CWD 4
#define HAS_TTY 8
#define IS_MEMFD 16
#define IS_WRITE 32
#define IS_UNLINKED 64
#define KEPT_SCRIPT 128

struct fact {
    u64 time;        /* ns, CLOCK_BOOTTIME */
    u16 kind;
    u16 flags;
    u32 slot;
    u32 generation;
    u32 pid;         /* user-space pid: the kernel's tgid */
    u32 tid;
    u32 uid;
    u64 image;       /* process image: device and inode of the executable, mixed, and of a script its name */
    u64 a, b, c;     /* by kind */
};
_Static_assert(sizeof(struct fact) == 64, "update sensor/probes/abi.py");

struct path {
    u32 length;      /* bytes used in text */
    u32 parts;
    char text[PATH_BYTES + NAME_BYTES];  /* parts, innermost first, each ended by NUL */
};

struct path_fact {
    struct fact f;
    struct path path;
};
_Static_assert(sizeof(struct path_fact) == 712, "update sensor/probes/abi.py");

struct slot {
    u64 cgroup;
    u64 taken;       /* ns, CLOCK_BOOTTIME */
    u64 left;        /* ns; 0 while the cgroup lives */
    u32 generation;
    u32 rings;       /* 1: something was asked of io_uring */
    u64 told;        /* ns; end of the last window that was accepted. Written by the daemon, kept here across its death */
    u64 lost[LOSSES];
    u64 lost_told[LOSSES];
    u64 took[SHARED], gave[SHARED];  /* rows of tables that all share. The kernel alone writes the one, the daemon the other */
};
_Static_assert(sizeof(struct slot) == 216, "update sensor/probes/abi.py");

struct process {
    u64 image;
    u64 parent_image;
    u64 started;     /* ns, CLOCK_BOOTTIME, of the last exec, or of the fork */
    u32 slot;
    u32 generation;
    u32 ppid;
    u32 home;        /* where it, or who bore it, was at the last exec; 0: not where we looked */
    u32 by_env;      /* env runs for a script, whose interpreter it will call */
    u32 reserved;
};

BPF_F_TABLE("array", u32, u64, seats, SEATS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct slot, slots, MAX_SLOTS, BPF_F_MMAPABLE);
BPF_TABLE("hash", u64, u32, owners, MAX_SLOTS);        /* cgroup id -> slot: decides races for a seat */
BPF_QUEUE(free_slots, u32, MAX_SLOTS);
BPF_TABLE("hash", u32, struct process, processes, MAX_PROCESSES);
BPF_TABLE("lru_hash", u64, struct path, images, 4096);  /* image -> where it lay when first run */
BPF_ARRAY(no_path, struct path, 1);  /* what a row of images begins as; never written */
BPF_RINGBUF_OUTPUT(facts, FACT_PAGES);
BPF_RINGBUF_OUTPUT(paths, PATH_PAGES);

BPF_ARRAY(tids, u64, TIDS);  /* thread -> its last two calls: tid << 32 | before << 10 | last, each number + 1 */

static u64 (*task_now)(void) = (void *)BPF_FUNC_get_current_task;
static u64 (*task_btf)(void) = (void *)BPF_FUNC_get_current_task_btf;

static inline void count_lost(u32 slot, u32 why) {
    struct slot *s = slots.lookup(&slot);
    if (s && why < LOSSES)
        __sync_fetch_and_add(&s->lost[why], 1);
}

/* By number: bcc would fall back to bpf_probe_read where it cannot read /proc/kallsyms (no CAP_SYSLOG), and cgroup
 * programs may not call that. */
static long (*read_kernel)(void *, u32, const void *) = (void *)BPF_FUNC_probe_read_kernel;
static long (*read_kernel_str)(void *, u32, const void *) = (void *)BPF_FUNC_probe_read_kernel_str;
static long (*read_user)(void *, u32, const void *) = (void *)BPF_FUNC_probe_read_user;

/* A value of a kernel struct, by address and offset. */
#define PEEK(type, address, offset) ({ type v_ = 0; read_kernel(&v_, sizeof(v_), (void *)((u64)(address) + (offset))); v_; })

static inline u32 tid_key(u32 tid) {
    return tid * 0x9E3779B1u & (TIDS - 1);  /* one to one for ids less than TIDS apart, neighbours in different cache lines */
}

/* Whether a workload would take its neighbours' last rows: it holds a quarter of the table, and a quarter is left. */
static inline int crowds(u32 slot, u32 table, u32 rows) {
    u32 all = 0;
    struct slot *s = slots.lookup(&slot), *a = slots.lookup(&all);
    return s && a && table < SHARED && s->took[table] - s->gave[table] >= rows / 4 &&
           a->took[table] - a->gave[table] > rows / 4 * 3;
}

static inline void note_took(u32 slot, u32 table) {
    u32 all = 0;         /* slot 0 is nobody's: it counts for all */
    struct slot *s = slots.lookup(&slot), *a = slots.lookup(&all);
    if (!s || !a || table >= SHARED)
        return;
    __sync_fetch_and_add(&s->took[table], 1);
    __sync_fetch_and_add(&a->took[table], 1);
}

static inline u32 generation_of(u32 slot) {
    struct slot *s = slots.lookup(&slot);
    return s ? s->generation : 0;
}

/* For programs that may not ask who runs: a packet's, and on older kernels a socket's. */
static inline void fill_for(struct fact *f, u16 kind, u32 slot, u64 image, u32 pid) {
    f->time = bpf_ktime_get_boot_ns();
    f->kind = kind;
    f->flags = 0;
    f->slot = slot;
    f->generation = generation_of(slot);
    f->pid = f->tid = pid;  /* user-space pid: the kernel's tgid */
    f->uid = 0;
    f->image = image;
    f->a = f->b = f->c = 0;
}

static inline void fill(struct fact *f, u16 kind, u32 slot, u64 image) {
    u64 who = bpf_get_current_pid_tgid();
    fill_for(f, kind, slot, image, who >> 32);
    f->tid = who;
    f->uid = bpf_get_current_uid_gid();
}

/* Part of the machine that the current task is in: its cgroup's ancestor below a top slice, so that a container's own cgroups
 * are one part, and those of runtimes and service managers others. The lower half of an id tells them apart. */
static inline u32 home_here(void) {
    u64 part = bpf_get_current_ancestor_cgroup_id(2);
    return part ? part : bpf_get_current_cgroup_id();
}

static inline u64 process_image(u32 pid) {
    struct process *p = processes.lookup(&pid);
    return p ? p->image : 0;
}

static inline void send_fact(u16 kind, u32 slot, u64 image, u64 a, u64 b, u64 c) {
    struct fact *f = facts.ringbuf_reserve(sizeof(*f));
    if (!f) {
        count_lost(slot, LOST_FACT);
        return;
    }
    fill(f, kind, slot, image);
    f->a = a;
    f->b = b;
    f->c = c;
    facts.ringbuf_submit(f, 0);
}

/* Appends one name to a path; the length is masked because the verifier does not believe an if. */
static inline int append(struct path *p, u64 name) {
    u32 at = p->length;
    asm volatile("%0 &= 511" : "+r"(at));
    int n = read_kernel_str(&p->text[at], NAME_BYTES, (void *)name);
    if (n <= 0)
        return 0;
    p->length = at + n;
    p->parts++;
    return n < NAME_BYTES;
}

/* Names of a cgroup's directory and of those above it, from kernfs, which needs no file system. 1: up to the root. */
static inline int cgroup_path(struct path *p, u64 node) {
    int whole = 1;
    p->length = p->parts = 0;
    for (int i = 0; i < 16; i++) {
        u64 above = PEEK(u64, node, OFF_KN_PARENT);
        if (!above)
            return whole;
        if (p->length >= PATH_BYTES)
            return 0;
        if (!append(p, PEEK(u64, node, OFF_KN_NAME)))
            whole = 0;
        node = above;
    }
    return 0;
}

static inline u64 cgroup_of(u64 task) {
    u64 set = PEEK(u64, task, OFF_TASK_CGROUPS);
    return PEEK(u64, set, OFF_CSS_SET_DFL);
}

static inline u64 cgroup_id(u64 cgroup) { return PEEK(u64, PEEK(u64, cgroup, OFF_CGROUP_KN), OFF_KN_ID); }

static inline void tell_seat(u32 slot, u64 cgroup) {
    struct path_fact *r = paths.ringbuf_reserve(sizeof(*r));
    if (!r) {
        count_lost(slot, LOST_PATH);
        return;
    }
    fill_for(&r->f, FACT_SEAT, slot, 0, 0);
    r->f.a = cgroup;
    if (!cgroup_path(&r->path, PEEK(u64, cgroup_of(task_now()), OFF_CGROUP_KN)))
        r->f.flags |= CUT_PATH;
    paths.ringbuf_submit(r, 0);
}

static inline void write_seat(u64 cgroup, u32 slot) {
    u32 k = cgroup & (SEATS - 1);
    u64 *seat = seats.lookup(&k);
    if (seat)
        *seat = (cgroup & ~(u64)(SEATS - 1)) | slot;  /* one store: a torn seat would name the wrong owner */
}

static inline int in_scope(void) {
#if SCOPE_LEVEL == 0
    return bpf_get_current_cgroup_id() != SCOPE_CGROUP;  /* the root cgroup is nobody's workload */
#else
    return bpf_get_current_ancestor_cgroup_id(SCOPE_LEVEL) == SCOPE_CGROUP;
#endif
}

/* Takes a free slot for a cgroup that has none. Two CPUs may try at once: `owners` lets one win. */
static inline u32 take_slot(u64 cgroup) {
    u32 slot = NO_SLOT;
    if (free_slots.pop(&slot))
        goto full;
    struct slot *s = slots.lookup(&slot);
    if (!s)
        goto full;
    s->taken = bpf_ktime_get_boot_ns();
    s->left = 0;
    s->generation++;     /* before others find the slot: a fact of the generation before would be dropped as late */
    s->cgroup = cgroup;
    if (owners.insert(&cgroup, &slot))
        goto lost_race;
    write_seat(cgroup, slot);
    tell_seat(slot, cgroup);
    return slot;
lost_race:
    s->cgroup = 0;
    free_slots.push(&slot, 0);
    u32 *winner = owners.lookup(&cgroup);
    return winner ? *winner : NO_SLOT;
full:
    count_lost(0, LOST_SEAT);
    return NO_SLOT;
}

/* The slow way to a slot: the seat holds another cgroup, or none. */
static inline u32 find_slot(u64 cgroup) {
    u32 *known = owners.lookup(&cgroup);
    if (known)
        return *known;
    if (in_scope())
        return take_slot(cgroup);
    write_seat(cgroup, OUTSIDE);
    return OUTSIDE;
}

static inline u32 seated(u64 cgroup) {
    u32 k = cgroup & (SEATS - 1);
    u64 *seat = seats.lookup(&k);
    if (!seat || (*seat ^ cgroup) >> SEAT_BITS)
        return NO_SLOT;
    return *seat & (SEATS - 1);
}

/* Slot of any cgroup that has one already. */
static inline u32 slot_of(u64 cgroup) {
    u32 slot = seated(cgroup);
    if (slot == NO_SLOT) {
        u32 *known = owners.lookup(&cgroup);
        slot = known ? *known : NO_SLOT;
    }
    return slot < MAX_SLOTS ? slot : NO_SLOT;
}

static inline u32 slot_in(u64 cgroup) {
    u32 slot = seated(cgroup);
    if (slot == NO_SLOT)
        slot = find_slot(cgroup);
    return slot < MAX_SLOTS ? slot : NO_SLOT;
}

/* Slot of the current task's cgroup: 1 .. MAX_SLOTS-1, or 0 where it is not observed. */
static inline u32 current_slot(void) {
    return slot_in(bpf_get_current_cgroup_id());
}

/* Of a task that task_btf() gave, by plain loads: a call of a helper costs more than all of them. */
static inline u64 task_cgroup(u64 task) {
    u64 set = *(u64 *)(task + OFF_TASK_CGROUPS);
    u64 cgroup = *(u64 *)(set + OFF_CSS_SET_DFL);
    u64 node = *(u64 *)(cgroup + OFF_CGROUP_KN);
    return *(u64 *)(node + OFF_KN_ID);
}

static inline u32 task_slot(u64 task) { return slot_in(task_cgroup(task)); }

/* The same without taking one for a cgroup that has none. */
static inline u32 task_seat(u64 task) { return slot_of(task_cgroup(task)); }

#define WHOLE 1
#define NAMELESS 2            /* a file that no directory ever held */

/* Path of a file as its process sees it: up to the process's root, across mounts. 0: cut. */
static inline int file_path(struct path *p, u64 mount, u64 dentry) {
    u64 fs = PEEK(u64, task_now(), OFF_TASK_FS);
    u64 root_mount = PEEK(u64, fs, OFF_FS_ROOT + OFF_PATH_MNT);
    u64 root = PEEK(u64, fs, OFF_FS_ROOT + OFF_PATH_DENTRY);
    p->length = p->parts = 0;
    for (int i = 0; i < 32; i++) {
        if (dentry == root && mount == root_mount)
            return WHOLE;
        if (p->length >= PATH_BYTES)
            return 0;
        u64 above = PEEK(u64, dentry, OFF_DENTRY_PARENT);
        u64 top = PEEK(u64, mount, OFF_VFSMOUNT_ROOT);
        if (dentry == top || dentry == above) {
            u64 whole = mount - OFF_MOUNT_MNT;
            u64 outer = PEEK(u64, whole, OFF_MOUNT_PARENT);
            if (outer == whole) {        /* no mount above: a memfd, a pipe, or a detached tree */
                append(p, PEEK(u64, dentry, OFF_DENTRY_NAME));
                return dentry == top ? WHOLE : NAMELESS;
            }
            dentry = PEEK(u64, whole, OFF_MOUNT_POINT);
            mount = outer + OFF_MOUNT_MNT;
            continue;
        }
        if (!append(p, PEEK(u64, dentry, OFF_DENTRY_NAME)))
            return 0;
        dentry = above;
    }
    return 0;
}

static inline u64 file_dentry(u64 file) { return PEEK(u64, file, OFF_FILE_PATH + OFF_PATH_DENTRY); }
static inline u64 file_mount(u64 file) { return PEEK(u64, file, OFF_FILE_PATH + OFF_PATH_MNT); }

static inline u64 dentry_key(u64 dentry) {
    u64 inode = PEEK(u64, dentry, OFF_DENTRY_INODE);
    u64 sb = PEEK(u64, inode, OFF_INODE_SB);
    u64 number = PEEK(u64, inode, OFF_INODE_INO);
    return (number ^ ((u64)PEEK(u32, sb, OFF_SB_DEV) << 40)) * 0x9E3779B97F4A7C15ULL | 1;  /* never 0: 0 is "unknown" */
}

static inline u64 file_key(u64 file) { return dentry_key(file_dentry(file)); }

static inline u64 exe_file(u64 task) {
    u64 mm = PEEK(u64, task, OFF_TASK_MM);
    return mm ? PEEK(u64, mm, OFF_MM_EXE) : 0;
}

/* Not `images.update(&image, p)`: 6.1 and older kernels take no memory of a ring as a value, and a path is too long for
 * the stack. */
static inline struct path *image_row(u64 image) {
    int only = 0;
    struct path *kept = images.lookup(&image), *empty = no_path.lookup(&only);
    if (!kept && empty) {
        images.update(&image, empty);
        kept = images.lookup(&image);
    }
    return kept;
}

static inline void keep_image(u64 image, struct path *p) {
    struct path *kept = image_row(image);
    if (kept)
        read_kernel(kept, sizeof(*kept), p);
}

/* A process that came into the cgroup from outside, or began before us: who is it? Returns its image. */
static inline u64 tell_found(u32 slot, u64 task, u32 pid) {
    u64 file = exe_file(task);
    if (!file)
        return 0;        /* a kernel thread */
    struct path_fact *r = paths.ringbuf_reserve(sizeof(*r));
    if (!r) {
        count_lost(slot, LOST_PATH);
        return 0;        /* asked again at its next fork, open or connection */
    }
    struct process p = {.image = file_key(file), .slot = slot, .generation = generation_of(slot)};
    p.ppid = PEEK(u32, PEEK(u64, task, OFF_TASK_PARENT), OFF_TASK_TGID);
    fill_for(&r->f, FACT_FOUND, slot, p.image, pid);
    r->f.b = p.ppid;
    if (!file_path(&r->path, file_mount(file), file_dentry(file)))
        r->f.flags |= CUT_PATH;
    keep_image(p.image, &r->path);
    paths.ringbuf_submit(r, 0);
    if (processes.update(&pid, &p))
        count_lost(slot, LOST_PROCESS);
    return p.image;
}

/* Image of the current process, which is of this slot. */
static inline u64 image_here(u32 slot, u64 task) {
    u32 pid = PEEK(u32, task, OFF_TASK_TGID);
    struct process *p = processes.lookup(&pid);
    if (!p)
        return tell_found(slot, task, pid);
    if (p->slot != slot) {           /* moved from another cgroup */
        p->slot = slot;
        p->generation = generation_of(slot);
    }
    return p->image;
}
