// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* File opens per cgroup and process image: counts, and one record per file that is new. Taken at the return of an open, so the
 * file is the kernel's own and not a string that may change. FILES_BY_FEXIT: at the return of the kernel's two functions that
 * open for a system call, so that nothing else pays. Else at raw tracepoint sys_exit, where the thread's last call was an open.
 * Sees: open, openat, openat2, creat, open_by_handle_at that succeeded. Misses: opens by io_uring (bpf/io_uring.c has
 * them told here), by 32-bit calls and by exec.
 * Costs: see docs/probes.md#files. */

struct file_use {
    u64 image;
    u64 file;            /* device and inode, mixed */
    u32 slot;
    u32 generation;
    u32 writes;          /* 1: opened for writing */
    u32 used;            /* 1: this row is taken */
    u64 count;
    u64 first, last;     /* ns, CLOCK_BOOTTIME */
    u64 told;            /* count that the daemon has delivered */
};
_Static_assert(sizeof(struct file_use) == 64, "update sensor/probes/abi.py");

struct file_id {
    u64 image;
    u64 file;
    u32 slot;
    u32 writes;
};

BPF_F_TABLE("array", u32, struct file_use, files, MAX_FILES, BPF_F_MMAPABLE);
BPF_TABLE("hash", struct file_id, u32, file_rows, MAX_FILES);
BPF_QUEUE(free_files, u32, MAX_FILES);

#define FMODE_WRITE_ 2
#define PROC_MAGIC 0x9fa0
#define S_IFMT_ 0170000
#define S_IFREG_ 0100000
#define S_IFDIR_ 0040000

static inline int is_open(u32 last) {
    /* numbers + 1, as `tids` keeps them */
    return last == 3 || last == 86 || last == 258 || last == 305 || last == 438;
}

static inline u64 open_file(u64 task, u32 fd) {
    u64 table = PEEK(u64, PEEK(u64, task, OFF_TASK_FILES), OFF_FILES_FDT);
    if (fd >= PEEK(u32, table, OFF_FDT_MAX))
        return 0;
    return PEEK(u64, PEEK(u64, table, OFF_FDT_FD), fd * 8);
}

static inline u64 name_key(u64 dentry) {
    u64 name[2] = {};
    read_kernel_str(name, sizeof(name), (void *)PEEK(u64, dentry, OFF_DENTRY_NAME));
    return (name[0] * 0x9E3779B97F4A7C15ULL ^ name[1]) | 1;
}

static inline void tell_open(u32 slot, struct file_id *id, u32 row, u64 file) {
    struct path_fact *r = paths.ringbuf_reserve(sizeof(*r));
    if (!r) {
        count_lost(slot, LOST_PATH);
        return;
    }
    fill(&r->f, FACT_OPEN, slot, id->image);
    r->f.a = row;
    r->f.b = id->file;
    if (id->writes)
        r->f.flags |= IS_WRITE;
    if (!file_path(&r->path, file_mount(file), file_dentry(file)))
        r->f.flags |= CUT_PATH;
    paths.ringbuf_submit(r, 0);
}

static inline int count_again(struct file_id *id) {
    u32 *row = file_rows.lookup(id);
    struct file_use *u = row ? files.lookup(row) : 0;
    if (!u)
        return 0;
    __sync_fetch_and_add(&u->count, 1);
    u->last = bpf_ktime_get_boot_ns();
    return 1;
}

static inline void new_file(struct file_id *id, u64 file) {
    u32 row = 0;
    if (crowds(id->slot, SHARED_FILES, MAX_FILES) || free_files.pop(&row)) {
        count_lost(id->slot, LOST_FILE);
        return;
    }
    struct file_use *u = files.lookup(&row);
    if (!u)
        return;
    /* Filled before others can find it: their counts must not be overwritten. */
    u->image = id->image;
    u->file = id->file;
    u->slot = id->slot;
    u->generation = generation_of(id->slot);
    u->writes = id->writes;
    u->count = 1;
    u->told = 0;
    u->first = u->last = bpf_ktime_get_boot_ns();
    if (file_rows.insert(id, &row)) {
        free_files.push(&row, 0);
        count_again(id);
        return;
    }
    u->used = 1;
    note_took(id->slot, SHARED_FILES);
    tell_open(id->slot, id, row, file);
}

/* Whether there is a file. */
static inline int note_file(u32 slot, u64 task, u64 file) {
    if (!file)
        return 0;
    u64 inode = PEEK(u64, file_dentry(file), OFF_DENTRY_INODE);
    u16 type = PEEK(u16, inode, OFF_INODE_MODE) & S_IFMT_;
    if (type != S_IFREG_)
        return 1;        /* directories, devices, pipes and sockets are not files that somebody reads */
    struct file_id id = {};
    id.image = image_here(slot, task);
    id.file = file_key(file);
    if (PEEK(u64, PEEK(u64, inode, OFF_INODE_SB), OFF_SB_MAGIC) == PROC_MAGIC)
        id.file = name_key(file_dentry(file));  /* inodes of /proc differ per process: one row per name */
    id.slot = slot;
    id.writes = !!(PEEK(u32, file, OFF_FILE_MODE) & FMODE_WRITE_);
    if (!count_again(&id))
        new_file(&id, file);
    return 1;
}

static inline int note_open(u32 slot, u64 task, u32 fd) { return note_file(slot, task, open_file(task, fd)); }

static inline void maybe_open(u64 task, u64 fd) {
    u32 tid = *(u32 *)(task + OFF_TASK_PID);
    u32 k = tid_key(tid);
    u64 *last = tids.lookup(&k);
    if (!last || *last >> 32 != tid || !is_open(*last & 0x3ff))
        return;
    u32 slot = task_slot(task);
    if (slot != NO_SLOT)
        note_open(slot, task, fd);
}

#ifdef FILES_BY_FEXIT
/* One text for both functions, for the loader attaches it twice: compiled twice it would take twice as long. Each has three
 * arguments and then its result; an error is no descriptor, and of an int the upper half is not defined. The thread's last call is
 * asked for here as well, so that both variants tell the same: a runtime that sets a container up is not counted. */
int files_opened(u64 *ctx) {
    u64 result = ctx[3];
    if (result <= 1 << 20)
        maybe_open(task_btf(), result);
    return 0;
}
#else
BPF_PROG_ARRAY(exit_more, MAX_SLOTS);  /* slot -> the optional program that has more to do for it: bpf/stdio.c, of agents */

/* A second program on this tracepoint would cost every call of the machine some 100 ns; the call of an empty entry costs nothing. */
RAW_TRACEPOINT_PROBE(sys_exit) {
    u64 result = ctx->args[1];
    if (result > 1ULL << 31)
        return 0;        /* an error */
    u64 task = task_btf();
    if (result <= 1 << 20)  /* else it is no descriptor */
        maybe_open(task, result);
    u32 slot = task_seat(task);
    if (slot != NO_SLOT)
        exit_more.call(ctx, slot);
    return 0;
}
#endif
