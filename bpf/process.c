// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Exec, fork and exit per cgroup, with lineage. Raw tracepoints sched_process_exec, _fork, _exit; cgroup_rmdir.
 * Sees: every exec that succeeded, with the path that the kernel resolved, a script's name, argv, cwd, uid, tty and the
 * parent's image.
 * Misses: execs that failed; environment; what a script holds. argv is the new program's own memory at its start.
 * Costs: see docs/probes.md#process. */

struct exec_fact {
    struct fact f;       /* a: image that called exec, b: parent's pid, c: device and inode of the file */
    struct path path;
    struct path cwd;
    u32 argv_bytes;      /* bytes in argv; the flag CUT_ARGV says that there were more */
    u32 links;           /* the file's link count: 0 means deleted or memfd */
    char argv[ARGV_BYTES];
    u32 script_bytes;    /* 0: no script */
    u32 reserved;
    char script[SCRIPT_BYTES];  /* its name as exec was given it, ended by NUL; `path` is its interpreter */
};
_Static_assert(sizeof(struct exec_fact) == 2144, "update sensor/probes/abi.py");

BPF_RINGBUF_OUTPUT(execs, EXEC_PAGES);

static inline u32 pid_of(u64 task) { return PEEK(u32, task, OFF_TASK_TGID); }

static inline u64 exe_of(u64 task) {
    u64 file = exe_file(task);
    return file ? file_key(file) : 0;
}

static inline void read_argv(struct exec_fact *e, u64 mm) {
    u64 start = PEEK(u64, mm, OFF_MM_ARG_START);
    u64 n = PEEK(u64, mm, OFF_MM_ARG_END) - start;
    if (n > ARGV_BYTES - 1) {
        n = ARGV_BYTES - 1;
        e->f.flags |= CUT_ARGV;
    }
    u32 length = n;
    asm volatile("%0 &= 511" : "+r"(length));
    e->argv_bytes = length;
    if (read_user(e->argv, length, (void *)start)) {
        e->argv_bytes = 0;   /* its page is not in memory */
        e->f.flags |= CUT_ARGV;
    }
}

static inline void read_file(struct exec_fact *e, u64 file) {
    u64 dentry = file_dentry(file);
    u64 mount = file_mount(file);
    int how = file_path(&e->path, mount, dentry);
    if (!how)
        e->f.flags |= CUT_PATH;
    else if (how == NAMELESS)
        e->f.flags |= IS_MEMFD;
    u64 inode = PEEK(u64, dentry, OFF_DENTRY_INODE);
    e->links = PEEK(u32, inode, OFF_INODE_NLINK);
    e->f.c = PEEK(u64, inode, OFF_INODE_INO);
}

/* The name that exec was given, where the kernel went on to another file: a script's, or what binfmt_misc runs. 0: neither. */
static inline u64 script_name(u64 bprm) {
    u64 name = PEEK(u64, bprm, OFF_BPRM_FILENAME);
    return name == PEEK(u64, bprm, OFF_BPRM_INTERP) ? 0 : name;
}

static inline int called_env(u64 bprm) {
    u64 word[2] = {};
    read_kernel_str(word, sizeof(word), (void *)PEEK(u64, bprm, OFF_BPRM_INTERP));
    return (word[0] == 0x6e69622f7273752fULL && word[1] == 0x766e652fULL)   /* "/usr/bin", "/env" */
        || (word[0] == 0x766e652f6e69622fULL && !word[1]);                  /* "/bin/env" */
}

#define TURN(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

static inline void sip_round(u64 v[4]) {
    v[0] += v[1]; v[1] = TURN(v[1], 13) ^ v[0]; v[0] = TURN(v[0], 32);
    v[2] += v[3]; v[3] = TURN(v[3], 16) ^ v[2];
    v[0] += v[3]; v[3] = TURN(v[3], 21) ^ v[0];
    v[2] += v[1]; v[1] = TURN(v[1], 17) ^ v[2]; v[2] = TURN(v[2], 32);
}

static inline void sip_word(u64 v[4], u64 word) {
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

/* SipHash-1-3 under a key of this load: a workload chooses names, and must not find one that counts as another's.
 * `place`: what else makes two of one name different. */
static inline u64 script_image(u64 interpreter, u64 place, u64 *name) {
    u64 v[4] = {NAME_KEY ^ 0x736f6d6570736575ULL, NAME_KEY2 ^ 0x646f72616e646f6dULL,
                NAME_KEY ^ 0x6c7967656e657261ULL, NAME_KEY2 ^ 0x7465646279746573ULL};
    sip_word(v, interpreter);
    sip_word(v, place);
    for (int i = 0; i < SCRIPT_BYTES / 8; i++)
        sip_word(v, name[i]);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return (v[0] ^ v[1] ^ v[2] ^ v[3]) | 1;
}

static inline u64 working_directory(u64 task) {
    return PEEK(u64, PEEK(u64, task, OFF_TASK_FS), OFF_FS_PWD + OFF_PATH_DENTRY);
}

/* Image of a process that runs a script, or whose `before` was env on behalf of one. */
static inline u64 image_of_script(u64 task, u64 interpreter, u64 name, struct process *before) {
    u64 text[SCRIPT_BYTES / 8] = {}, place = before ? before->image : 0;
    if (name) {
        read_kernel_str(text, SCRIPT_BYTES - 1, (void *)name);
        place = (text[0] & 0xff) == '/' ? 0 : dentry_key(working_directory(task));
    }
    return script_image(interpreter, place, text);
}

/* A row of `images` for a script: its name as one part, and where that is relative, the working directory behind it. */
static inline void keep_script(u64 image, struct exec_fact *e) {
    struct path *kept = image_row(image);
    u32 n = e->script_bytes, more = e->cwd.length;
    if (!kept)
        return;
    asm volatile("%0 &= 255" : "+r"(n));
    read_kernel(kept->text, SCRIPT_BYTES, e->script);
    kept->length = n;
    kept->parts = 1;
    if (e->script[0] == '/')
        return;
    read_kernel(&kept->text[n], sizeof(kept->text) - SCRIPT_BYTES, e->cwd.text);
    kept->length = n + (more < sizeof(kept->text) - SCRIPT_BYTES ? more : sizeof(kept->text) - SCRIPT_BYTES);
    kept->parts += e->cwd.parts;
}

static inline void keep_name(struct exec_fact *e) {
    u64 caller = e->f.a;
    struct path *script = e->f.flags & KEPT_SCRIPT ? images.lookup(&caller) : 0;
    if (e->script_bytes)
        keep_script(e->f.image, e);
    else
        keep_image(e->f.image, script ? script : &e->path);
}

static inline void tell_exec(u32 slot, u64 task, u64 file, u64 script, u16 flags, struct process *p) {
    struct exec_fact *e = execs.ringbuf_reserve(sizeof(*e));
    if (!e) {
        count_lost(slot, LOST_EXEC);
        return;
    }
    fill(&e->f, FACT_EXEC, slot, p->image);
    e->f.a = p->parent_image;
    e->f.b = p->ppid;
    e->f.flags |= flags;
    if (PEEK(u64, PEEK(u64, task, OFF_TASK_SIGNAL), OFF_SIGNAL_TTY))
        e->f.flags |= HAS_TTY;
    read_file(e, file);
    u64 fs = PEEK(u64, task, OFF_TASK_FS);
    if (!file_path(&e->cwd, PEEK(u64, fs, OFF_FS_PWD + OFF_PATH_MNT), PEEK(u64, fs, OFF_FS_PWD + OFF_PATH_DENTRY)))
        e->f.flags |= CUT_CWD;
    read_argv(e, PEEK(u64, task, OFF_TASK_MM));
    int n = script ? read_kernel_str(e->script, SCRIPT_BYTES - 1, (void *)script) : 0;
    e->script_bytes = n > 0 ? n : 0;
    keep_name(e);
    execs.ringbuf_submit(e, 0);
}

static inline u64 parent_image(u64 parent, u32 ppid) {
    struct process *p = processes.lookup(&ppid);
    return p ? p->image : exe_of(parent);
}

/* The parent image is the one that called exec: after a fork the parent's own, after `exec curl` in a shell the shell. */
RAW_TRACEPOINT_PROBE(sched_process_exec) {
    u32 slot = current_slot();
    if (slot == NO_SLOT)
        return 0;
    u64 task = ctx->args[0];
    u64 bprm = ctx->args[2];
    u64 file = PEEK(u64, bprm, OFF_BPRM_FILE), script = script_name(bprm);
    u32 pid = pid_of(task);
    u64 parent = PEEK(u64, task, OFF_TASK_PARENT);
    struct process now = {};
    struct process *before = processes.lookup(&pid);
    now.image = file_key(file);
    now.ppid = pid_of(parent);
    now.parent_image = before ? before->image : parent_image(parent, now.ppid);
    now.started = bpf_ktime_get_boot_ns();
    now.slot = slot;
    now.generation = generation_of(slot);
    now.home = home_here();
    int kept = !script && before && before->by_env;
    if (script || kept)
        now.image = image_of_script(task, now.image, script, before);
    now.by_env = script && called_env(bprm);
    if (processes.update(&pid, &now))
        count_lost(slot, LOST_PROCESS);
    tell_exec(slot, task, file, script, kept ? KEPT_SCRIPT : 0, &now);
    return 0;
}

RAW_TRACEPOINT_PROBE(sched_process_fork) {
    u64 child = ctx->args[1];
    u64 cgroup = cgroup_id(cgroup_of(child));
    int same = cgroup == bpf_get_current_cgroup_id();
    u32 slot = same ? current_slot() : slot_of(cgroup);  /* clone3 can bear into another cgroup */
    if (slot == NO_SLOT)
        return 0;
    u32 pid = pid_of(child);
    u32 tid = PEEK(u32, child, OFF_TASK_PID);
    u32 k = tid_key(tid);
    u64 fresh = (u64)tid << 32;
    tids.update(&k, &fresh);  /* a thread id that was used before has no past */
    if (pid != tid)
        return 0;             /* a thread of the same process */
    u32 ppid = bpf_get_current_pid_tgid() >> 32;
    struct process new = {.slot = slot, .generation = generation_of(slot), .ppid = ppid};
    new.started = bpf_ktime_get_boot_ns();
    struct process *p = processes.lookup(&ppid);
    if (p) {
        new.image = p->image;
        new.parent_image = p->parent_image;
        new.home = p->home;
    } else if (same)
        new.image = tell_found(slot, ctx->args[0], ppid);
    else
        return 0;             /* a runtime outside bore it; it is found when it does something */
    if (processes.update(&pid, &new))
        count_lost(slot, LOST_PROCESS);
    send_fact(FACT_FORK, slot, new.image, pid, ppid, 0);
    return 0;
}

RAW_TRACEPOINT_PROBE(sched_process_exit) {
    u64 task = ctx->args[0];
    u32 tid = PEEK(u32, task, OFF_TASK_PID);
    u32 k = tid_key(tid);
    u64 *last = tids.lookup(&k);
    if (last && *last >> 32 == tid)
        *last = 0;            /* whoever gets this id has no past, also if it is born outside and moved in */
    if (PEEK(u32, PEEK(u64, task, OFF_TASK_SIGNAL), OFF_SIGNAL_LIVE))
        return 0;             /* other threads of the process live on */
    u32 pid = pid_of(task);
    struct process *p = processes.lookup(&pid);
    if (!p)
        return 0;             /* not observed, or it began before us and did nothing since */
    send_fact(FACT_EXIT, p->slot, p->image, PEEK(u32, task, OFF_TASK_EXIT), p->ppid, 0);
    processes.delete(&pid);
    return 0;
}

/* A cgroup is gone: its slot is read once more by the daemon before anybody else gets it. */
RAW_TRACEPOINT_PROBE(cgroup_rmdir) {
    u64 cgroup = cgroup_id(ctx->args[0]);
    if (PEEK(u32, PEEK(u64, ctx->args[0], OFF_CGROUP_ROOT), OFF_ROOT_HIERARCHY))
        return 0;             /* a version 1 hierarchy, whose ids are not ours */
    u32 slot = slot_of(cgroup);
    struct slot *s = slots.lookup(&slot);
    if (!s || slot == NO_SLOT || s->cgroup != cgroup)
        return 0;
    s->left = bpf_ktime_get_boot_ns();
    send_fact(FACT_LEFT, slot, 0, cgroup, 0, 0);
    return 0;
}
