// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Who talks to whom: per cgroup, process image, peer, port and direction: connections, packets, payload bytes both ways.
 * cgroup_skb on the observed subtree for packets; cgroup/sock_create and connect4|6 for attempts and who they are of;
 * inet_sock_set_state for listeners, and for connections to the ports of `doors`, with both their ends.
 * Sees: TCP and UDP over IPv4 and IPv6, connected or not; DNS answers from port 53 over UDP; the first TLS ClientHello of a
 * socket. Misses: raw and packet sockets' own headers, names inside DoH, DoT, ECH and QUIC.
 * A packet that the stack sends by itself (retransmission, delayed segment) counts for the image that used the socket last.
 * Bytes are TCP/UDP payload, each byte of a TCP stream once however often it was sent; packets count each time. Costs: see docs/probes.md#network. */

struct flow {
    u64 image;
    u8 peer[16];         /* IPv4 in the last four bytes, mapped form; for ingress the first that came */
    u32 slot;
    u32 generation;
    u16 port;            /* host order: the peer's for egress, ours for ingress */
    u8 protocol;
    u8 ingress;          /* 1: the peer began */
    u32 used;            /* 1: this row is taken */
    u64 opens;           /* connections begun (egress) or sockets accepted (ingress) */
    u64 bytes_out, bytes_in, packets_out, packets_in;
    u64 first, last;     /* ns, CLOCK_BOOTTIME */
    u32 pid;             /* who used it first */
    u32 reserved;
    u64 told[5];         /* opens, bytes and packets that the daemon has delivered */
    u64 tick;            /* jiffies of `last`: the clock is read once in each */
    u64 spare[5];
};
_Static_assert(sizeof(struct flow) == 192, "update sensor/probes/abi.py");

struct flow_id {
    u64 image;
    u8 peer[16];         /* zero for ingress: clients of one port share a row, or a few thousand of them would fill the table */
    u32 slot;
    u16 port;
    u8 protocol;
    u8 ingress;
};

struct talk {            /* what is remembered of a socket */
    u64 image;
    u32 pid;
    u32 slot;
    u32 row;             /* of its last flow + 1; 0: none yet */
    u16 peer_port;       /* host order */
    u8 known;            /* 1: direction known */
    u8 greeted;          /* 1: payload looked at for a ClientHello */
    u8 ingress;
    u8 listens;          /* 1: handshakes of sockets that are yet to be accepted */
    u8 counted[2];       /* 1: `next` is known, for packets in and out */
    u32 generation;
    u8 peer[16];
    u32 next[2];         /* TCP sequence number up to which payload was counted, in and out */
};

struct payload_fact {
    struct fact f;       /* a: flow row, b: socket cookie */
    u8 peer[16];
    u16 port;
    u16 local_port;
    u32 length;          /* bytes in data */
    u32 whole;           /* bytes of the payload */
    u32 reserved;
    char data[PAYLOAD_BYTES + 512];
};
_Static_assert(sizeof(struct payload_fact) == 2144, "update sensor/probes/abi.py");

struct listener {
    u32 slot;
    u16 port;
    u16 reserved;
};

struct handshake {       /* of a connection to a receiver of ours */
    u32 number;          /* of the first byte that the dialler sends */
    u16 port;            /* the dialler's */
    u16 reserved;
};

struct dialler {
    u32 slot;
    u32 generation;
};

BPF_F_TABLE("array", u32, struct flow, flows, MAX_FLOWS, BPF_F_MMAPABLE);
BPF_TABLE("hash", struct flow_id, u32, flow_rows, MAX_FLOWS);
BPF_QUEUE(free_flows, u32, MAX_FLOWS);
BPF_TABLE("lru_hash", u64, struct talk, talks, 32768);
BPF_TABLE("lru_hash", struct listener, u64, listeners, 4096);  /* -> image that listens, 0: unknown */
BPF_RINGBUF_OUTPUT(payloads, PAYLOAD_PAGES);
BPF_TABLE("hash", u16, u32, doors, 16);  /* port of a receiver of ours -> its network namespace: who connects is told, each time */
BPF_TABLE("lru_hash", struct handshake, struct dialler, dialling, 4096);

struct packet {
    u8 peer[16];
    u32 bytes;           /* TCP or UDP payload */
    u32 offset;          /* of the payload in the skb */
    u32 sequence;        /* of the first byte of TCP payload */
    u16 peer_port, local_port;
    u8 protocol;
    u8 syn;              /* SYN without ACK */
    u8 ok;
};

static inline u16 be16(u8 *p) { return (u16)p[0] << 8 | p[1]; }

/* From the header of TCP or UDP at `h`, of which 14 or 8 bytes are there, `at` bytes into the packet. */
static inline void take_ports(struct __sk_buff *skb, struct packet *p, u8 *h, u32 at, int out) {
    u32 header = 8;
    if (p->protocol == 6) {
        header = (h[12] >> 4) * 4;
        p->syn = (h[13] & 0x12) == 0x02;
        p->sequence = ((u32)be16(h + 4) << 16 | be16(h + 6)) + p->syn;
    }
    p->local_port = out ? be16(h) : be16(h + 2);
    p->peer_port = out ? be16(h + 2) : be16(h);
    p->offset = at + header;
    p->bytes = skb->len > p->offset ? skb->len - p->offset : 0;
    p->ok = 1;
}

static inline void read_ports(struct __sk_buff *skb, struct packet *p, u32 at, int out) {
    u8 h[14] = {};
    if (p->protocol == 6) {
        if (bpf_skb_load_bytes(skb, at, h, 14))
            return;
    } else if (p->protocol != 17 || bpf_skb_load_bytes(skb, at, h, 8))
        return;
    take_ports(skb, p, h, at, out);
}

/* Past IPv6 extension headers: the one for jumbo segments, which the stack puts in by itself, and what a sender adds. */
static inline u32 past_extensions(struct __sk_buff *skb, struct packet *p) {
    u32 at = 40;
    for (int i = 0; i < 6; i++) {
        u8 e[8] = {};
        u8 kind = p->protocol;
        if (kind != 0 && kind != 43 && kind != 44 && kind != 60)
            return at;
        if (bpf_skb_load_bytes(skb, at, e, 8) || (kind == 44 && be16(e + 2) & 0xfff8))
            return 0;    /* cut, or a later fragment, which carries no ports */
        p->protocol = e[0];
        at += kind == 44 ? 8 : (e[1] + 1) * 8;
    }
    return 0;
}

static inline void take_addresses4(struct packet *p, u8 *h, int out) {
    p->peer[10] = p->peer[11] = 0xff;
    __builtin_memcpy(&p->peer[12], out ? h + 16 : h + 12, 4);
    p->protocol = h[9];
}

/* What nearly every packet is: plain headers that lie in the first piece, read where they are. 1: it was that. */
static inline int read_plain(struct __sk_buff *skb, struct packet *p, int out) {
    u8 *h = (u8 *)(long)skb->data, *end = (u8 *)(long)skb->data_end;
    if (skb->protocol == __constant_htons(0x0800)) {
        if (h + 34 > end || h[0] != 0x45 || be16(h + 6) & 0x1fff || h[9] != 6)
            return 0;
        take_addresses4(p, h, out);
        take_ports(skb, p, h + 20, 20, out);
        return 1;
    }
    if (skb->protocol != __constant_htons(0x86dd) || h + 54 > end || h[6] != 6)
        return 0;
    __builtin_memcpy(p->peer, out ? h + 24 : h + 8, 16);
    p->protocol = 6;
    take_ports(skb, p, h + 40, 40, out);
    return 1;
}

static inline void read_packet(struct __sk_buff *skb, struct packet *p, int out) {
    u8 h[40] = {};
    if (read_plain(skb, p, out))
        return;
    if (skb->protocol == __constant_htons(0x0800)) {
        if (bpf_skb_load_bytes(skb, 0, h, 20) || be16(h + 6) & 0x1fff)
            return;      /* a later fragment carries no ports */
        take_addresses4(p, h, out);
        read_ports(skb, p, (h[0] & 15) * 4, out);
    } else if (skb->protocol == __constant_htons(0x86dd)) {
        if (bpf_skb_load_bytes(skb, 0, h, 40))
            return;
        __builtin_memcpy(p->peer, out ? h + 24 : h + 8, 16);
        p->protocol = h[6];
        u32 at = past_extensions(skb, p);
        if (at)
            read_ports(skb, p, at, out);
    }
}

/* Who began, and for what a peer began, whose socket it is: an accepted one is its listener's until somebody writes. */
static inline void note_side(struct talk *t, struct packet *p, int out) {
    t->known = 1;
    t->ingress = !out;       /* a handshake, or a datagram socket: whoever sent first */
    if (p->protocol != 6)
        return;
    struct listener l = {.slot = t->slot, .port = p->local_port};
    u64 *image = listeners.lookup(&l);
    if (!image) {
        if (!p->syn)
            t->ingress = 0;
        return;
    }
    if (!p->syn)
        t->ingress = 1;
    if (t->ingress && !t->image)
        t->image = *image;
}

static inline u32 new_flow(struct flow_id *id, u8 *peer, u32 pid) {
    u32 row = 0;
    if (crowds(id->slot, SHARED_FLOWS, MAX_FLOWS) || free_flows.pop(&row)) {
        count_lost(id->slot, LOST_FLOW);
        return 0;
    }
    struct flow *f = flows.lookup(&row);
    if (!f)
        return 0;
    /* Filled before others can find it: their counts must not be overwritten. */
    f->image = id->image;
    __builtin_memcpy(f->peer, peer, 16);
    f->slot = id->slot;
    f->generation = generation_of(id->slot);
    f->port = id->port;
    f->protocol = id->protocol;
    f->ingress = id->ingress;
    f->opens = f->bytes_out = f->bytes_in = f->packets_out = f->packets_in = 0;
    f->told[0] = f->told[1] = f->told[2] = f->told[3] = f->told[4] = 0;
    f->pid = pid;
    f->first = f->last = bpf_ktime_get_boot_ns();
    if (flow_rows.insert(id, &row)) {
        free_flows.push(&row, 0);
        u32 *other = flow_rows.lookup(id);
        return other ? *other + 1 : 0;
    }
    f->used = 1;
    note_took(id->slot, SHARED_FLOWS);
    return row + 1;
}

static inline void tell_flow(u32 slot, u64 image, u32 row, u32 pid) {
    struct fact *f = facts.ringbuf_reserve(sizeof(*f));
    if (!f) {
        count_lost(slot, LOST_FACT);
        return;
    }
    fill_for(f, FACT_FLOW, slot, image, pid);
    f->a = row - 1;
    facts.ringbuf_submit(f, 0);
}

static inline u32 flow_of(struct talk *t, u8 *peer, u16 port, u8 protocol) {
    struct flow_id id = {};
    id.image = t->image;
    if (!t->ingress)
        __builtin_memcpy(id.peer, peer, 16);
    id.slot = t->slot;
    id.port = port;
    id.protocol = protocol;
    id.ingress = t->ingress;
    u32 *row = flow_rows.lookup(&id);
    if (row)
        return *row + 1;
    u32 new = new_flow(&id, peer, t->pid);
    if (new)
        tell_flow(t->slot, t->image, new, t->pid);
    return new;
}

static inline void count_open(u32 row) {
    u32 k = row - 1;
    struct flow *f = row ? flows.lookup(&k) : 0;
    if (f)
        __sync_fetch_and_add(&f->opens, 1);
}

/* Whether a thread is in a call that sends. One whose calls nobody follows is believed. */
static inline int is_sending(u64 task) {
    u32 tid = PEEK(u32, task, OFF_TASK_PID);
    u32 k = tid_key(tid);
    u64 *last = tids.lookup(&k);
    if (!last || *last >> 32 != tid)
        return 1;
    u32 call = *last & 0x3ff;  /* number + 1; SENDING: write, writev, sendfile, sendto, sendmsg, splice, ... */
    return call == 2 || call == 21 || call == 41 || call == 45 || call == 47 || call == 276 || call == 279 || call == 297 ||
           call == 308 || call == 329 || call == 427;
}

/* Who uses the socket now: the current process, if it is of the socket's own workload and sends, else whoever used it last.
 * Packets without payload go out while anybody runs, as those that come in do; on loopback that is the other end. */
static inline void note_user(struct talk *t, struct packet *packet, int out) {
    if (!out || !packet->bytes)
        return;
    u64 task = task_btf();
    u32 pid = *(u32 *)(task + OFF_TASK_TGID);
    if (pid == t->pid)
        return;
    struct process *p = processes.lookup(&pid);
    if (!p || p->slot != t->slot || p->generation != t->generation || !is_sending(task))
        return;
    t->pid = pid;
    if (t->image != p->image) {
        t->image = p->image;
        t->row = 0;
    }
}

static inline void look_into(struct __sk_buff *skb, struct packet *p, struct talk *t, u16 kind, u64 cookie) {
    struct payload_fact *r = payloads.ringbuf_reserve(sizeof(*r));
    if (!r) {
        count_lost(t->slot, LOST_PAYLOAD);
        return;
    }
    u32 n = (p->bytes < PAYLOAD_BYTES ? p->bytes : PAYLOAD_BYTES) - 1;  /* never called for an empty payload */
    asm volatile("%0 &= 2047\n%0 += 1" : "+r"(n));
    fill_for(&r->f, kind, t->slot, t->image, t->pid);
    r->f.a = t->row ? t->row - 1 : (u64)-1;
    r->f.b = cookie;
    __builtin_memcpy(r->peer, p->peer, 16);
    r->port = p->peer_port;
    r->local_port = p->local_port;
    r->whole = p->bytes;
    r->reserved = 0;
    r->length = bpf_skb_load_bytes(skb, p->offset, r->data, n) ? 0 : n;
    payloads.ringbuf_submit(r, 0);
}

static inline int is_hello(struct __sk_buff *skb, u32 offset) {
    u8 h[6] = {};
    return !bpf_skb_load_bytes(skb, offset, h, 6) && h[0] == 0x16 && h[1] == 3 && h[5] == 1;
}

static inline void count_packet(struct flow *f, u32 bytes, int out) {
    __sync_fetch_and_add(out ? &f->packets_out : &f->packets_in, 1);
    if (bytes)
        __sync_fetch_and_add(out ? &f->bytes_out : &f->bytes_in, bytes);
    u64 tick = bpf_jiffies64();
    if (f->tick != tick) {
        f->tick = tick;
        f->last = bpf_ktime_get_boot_ns();
    }
}

static inline struct talk *talk_of(struct __sk_buff *skb, u64 cookie) {
    struct talk *t = talks.lookup(&cookie);
    if (t && t->generation == generation_of(t->slot))
        return t;        /* else its slot has passed to another cgroup */
    u32 slot = slot_of(bpf_skb_cgroup_id(skb));
    if (slot == NO_SLOT)
        return 0;        /* its cgroup has made no system call since we began: nothing to attribute to */
    struct talk new = {.slot = slot, .generation = generation_of(slot)};
    talks.update(&cookie, &new);
    return talks.lookup(&cookie);
}

static inline int same_peer(struct talk *t, struct packet *p) {
    u64 *a = (u64 *)t->peer, *b = (u64 *)p->peer;
    return t->peer_port == p->peer_port && a[0] == b[0] && a[1] == b[1];
}

/* The row that a socket used last. It may have been given back since, and be another's by now. */
static inline struct flow *last_flow(struct talk *t, struct packet *p) {
    u32 k = t->row - 1;
    struct flow *f = t->row && same_peer(t, p) ? flows.lookup(&k) : 0;
    if (!f || !f->used || f->image != t->image || f->slot != t->slot || f->generation != t->generation)
        return 0;
    u64 *a = (u64 *)f->peer, *b = (u64 *)p->peer;
    u16 port = t->ingress ? p->local_port : p->peer_port;
    return f->port == port && f->ingress == t->ingress && (t->ingress || (a[0] == b[0] && a[1] == b[1])) ? f : 0;
}

static inline struct flow *next_flow(struct talk *t, struct packet *p) {
    t->row = flow_of(t, p->peer, t->ingress ? p->local_port : p->peer_port, p->protocol);
    if (!same_peer(t, p) && (p->protocol == 17 || (t->ingress && !t->listens)))
        count_open(t->row);
    __builtin_memcpy(t->peer, p->peer, 16);
    t->peer_port = p->peer_port;
    u32 k = t->row - 1;
    return t->row ? flows.lookup(&k) : 0;
}

#define LEAP (1 << 24)        /* no window is wider: a number that is further ahead was made up */

/* Payload that was not counted before. What is sent again counts once; a hole is counted when it is passed, and not when it
 * is filled. */
static inline u32 fresh_bytes(struct talk *t, struct packet *p, int out) {
    if (p->protocol != 6 || !p->bytes || t->listens)
        return p->bytes;
    int way = !!out;
    u32 end = p->sequence + p->bytes;
    u32 ahead = end - t->next[way];
    if (t->counted[way] && (s32)ahead <= 0)
        return 0;
    if (t->counted[way] && ahead > LEAP)
        return p->bytes;
    u32 fresh = t->counted[way] ? ahead : p->bytes;
    t->counted[way] = 1;
    t->next[way] = end;
    return fresh;
}

static inline int on_packet(struct __sk_buff *skb, int out) {
    struct packet p = {};
    read_packet(skb, &p, out);
    if (!p.ok)
        return 1;
    u64 cookie = bpf_get_socket_cookie(skb);
    struct talk *t = talk_of(skb, cookie);
    if (!t)
        return 1;
    note_user(t, &p, out);
    if (p.syn && !out)
        t->listens = 1;
    if (!t->known)
        note_side(t, &p, out);
    struct flow *f = last_flow(t, &p);
    if (!f)
        f = next_flow(t, &p);
    if (f)
        count_packet(f, fresh_bytes(t, &p, out), out);
    if (!p.bytes)
        return 1;
    if (p.protocol == 17 && !out && p.peer_port == 53)
        look_into(skb, &p, t, FACT_DNS, cookie);
    if (p.protocol == 6 && out && !t->greeted) {
        t->greeted = 1;
        if (is_hello(skb, p.offset))
            look_into(skb, &p, t, FACT_HELLO, cookie);
    }
    return 1;
}

int packet_out(struct __sk_buff *skb) { return on_packet(skb, 1); }
int packet_in(struct __sk_buff *skb) { return on_packet(skb, 0); }

/* An attempt to connect, whether or not a packet leaves. The address is the kernel's copy. A datagram socket only notes
 * its user: resolvers connect one to every address that they were told, to sort them, and send nothing. */
static inline int on_connect(struct bpf_sock_addr *ctx, u8 *peer) {
    u32 slot = current_slot();
    if (slot == NO_SLOT)
        return 1;
    u32 pid = PEEK(u32, task_now(), OFF_TASK_TGID);
    struct talk t = {.slot = slot, .generation = generation_of(slot), .pid = pid, .known = 1};
    t.image = image_here(slot, task_now());
    if (ctx->protocol != 17) {
        t.peer_port = __constant_ntohs(ctx->user_port);
        __builtin_memcpy(t.peer, peer, 16);
        t.row = flow_of(&t, peer, t.peer_port, 6);
        count_open(t.row);
    }
    u64 cookie = bpf_get_socket_cookie(ctx);
    talks.update(&cookie, &t);
    return 1;
}

/* A new socket is its maker's, until another process sends with it. */
int make_socket(struct bpf_sock *ctx) {
    u32 slot = current_slot();
    if (slot == NO_SLOT || (ctx->protocol != 6 && ctx->protocol != 17))
        return 1;
    struct talk t = {.slot = slot, .generation = generation_of(slot), .pid = PEEK(u32, task_now(), OFF_TASK_TGID)};
    t.image = image_here(slot, task_now());
    u64 cookie = bpf_get_socket_cookie(ctx);
    talks.update(&cookie, &t);
    return 1;
}

int connect4(struct bpf_sock_addr *ctx) {
    u8 peer[16] = {};
    u32 address = ctx->user_ip4;
    peer[10] = peer[11] = 0xff;
    __builtin_memcpy(&peer[12], &address, 4);
    return on_connect(ctx, peer);
}

int connect6(struct bpf_sock_addr *ctx) {
    u32 peer[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
    return on_connect(ctx, (u8 *)peer);
}

#if defined(OFF_SOCK_CGROUP) && defined(OFF_SOCK_FROM6) && defined(OFF_SOCK_NET) && defined(OFF_TCP_UNA)
#define INET_ 2
#define INET6_ 10
static inline void take_ends(struct fact *f, u64 sock, u16 family) {
    f->image = f->b = 0;
    if (family == INET_) {   /* mapped form: the address in the last four bytes, in the order of the network */
        f->a = 0xffff0000ULL | (u64)PEEK(u32, sock, OFF_SOCK_TO) << 32;
        f->c = 0xffff0000ULL | (u64)PEEK(u32, sock, OFF_SOCK_FROM) << 32;
        return;
    }
    f->image = PEEK(u64, sock, OFF_SOCK_TO6);
    f->a = PEEK(u64, sock, OFF_SOCK_TO6 + 8);
    f->b = PEEK(u64, sock, OFF_SOCK_FROM6);
    f->c = PEEK(u64, sock, OFF_SOCK_FROM6 + 8);
}

static inline u16 peer_port_of(u64 sock) {
    u16 be = PEEK(u16, sock, OFF_SOCK_DPORT);
    return be << 8 | be >> 8;
}

static inline u32 netns_of(u64 sock) { return PEEK(u32, PEEK(u64, sock, OFF_SOCK_NET), OFF_NET_INUM); }

/* Somebody's connection to one of our ports stands on their side. Runs for the answer's packet, so in whoever's time: the
 * socket's cgroup says whose it is, and a process that has the socket later does not change it. */
static inline void on_dialled(u64 sock) {
    u16 port = peer_port_of(sock);
    u32 *place = doors.lookup(&port);
    if (!place || *place == netns_of(sock))
        return;              /* a socket of our own namespace can be looked up */
    u64 cgroup = PEEK(u64, sock, OFF_SOCK_CGROUP);
    if (!cgroup || cgroup & 1)
        return;              /* before 5.15 an odd value is no cgroup */
    struct dialler d = {.slot = slot_of(cgroup_id(cgroup))};
    if (d.slot == NO_SLOT)
        return;
    d.generation = generation_of(d.slot);
    struct handshake h = {.number = PEEK(u32, sock, OFF_TCP_UNA), .port = PEEK(u16, sock, OFF_SOCK_NUM)};
    dialling.update(&h, &d);
}

/* The same connection stands on ours, a packet later. The first number of its stream was chosen by the kernel of whoever dialled
 * and is a secret of the two ends: who gives itself another's address in a namespace of its own does not have it.
 * image, a: their end as we see it; b, c: ours; tid: ports. */
static inline void on_accepted(u64 sock) {
    u16 ours = PEEK(u16, sock, OFF_SOCK_NUM), theirs = peer_port_of(sock), family = PEEK(u16, sock, OFF_SOCK_FAMILY);
    u32 *place = doors.lookup(&ours);
    if (!place || *place != netns_of(sock) || (family != INET_ && family != INET6_))
        return;
    struct handshake h = {.number = PEEK(u32, sock, OFF_TCP_NEXT), .port = theirs};
    struct dialler *d = dialling.lookup(&h);
    if (!d || d->generation != generation_of(d->slot))
        return;
    struct fact *f = facts.ringbuf_reserve(sizeof(*f));
    if (!f) {
        count_lost(d->slot, LOST_FACT);
        return;
    }
    fill_for(f, FACT_DIAL, d->slot, 0, 0);
    take_ends(f, sock, family);
    f->tid = (u32)theirs << 16 | ours;
    facts.ringbuf_submit(f, 0);
    dialling.delete(&h);
}
#else
static inline void on_dialled(u64 sock) {}
static inline void on_accepted(u64 sock) {}
#endif

#define TCP_ESTABLISHED_ 1
#define TCP_SYN_SENT_ 2
#define TCP_SYN_RECV_ 3
#define TCP_CLOSE_ 7
#define TCP_LISTEN_ 10
RAW_TRACEPOINT_PROBE(inet_sock_set_state) {
    u64 sock = ctx->args[0];
    u32 old = ctx->args[1], new = ctx->args[2];
    if (new == TCP_ESTABLISHED_) {
        if (old == TCP_SYN_SENT_)
            on_dialled(sock);
        else if (old == TCP_SYN_RECV_)
            on_accepted(sock);
        return 0;
    }
    if (new != TCP_LISTEN_ && (old != TCP_LISTEN_ || new != TCP_CLOSE_))
        return 0;        /* an accepted socket also leaves LISTEN, the state that it was cloned in */
    u32 slot = current_slot();
    if (slot == NO_SLOT)
        return 0;
    struct listener l = {.slot = slot, .port = PEEK(u16, sock, OFF_SOCK_NUM)};
    u64 image = image_here(slot, task_now());
    if (new == TCP_LISTEN_)
        listeners.update(&l, &image);
    else
        listeners.delete(&l);
    return 0;
}
