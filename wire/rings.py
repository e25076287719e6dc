"""Opcodes of io_uring to names; they have one number on every architecture.

Source: `enum io_uring_op` in include/uapi/linux/io_uring.h of Linux 6.18. Numbers are only ever added to it.
"""

from __future__ import annotations

NAMES = """
nop readv writev fsync read_fixed write_fixed poll_add poll_remove sync_file_range sendmsg recvmsg timeout timeout_remove accept
async_cancel link_timeout connect fallocate openat close files_update statx read write fadvise madvise send recv openat2 epoll_ctl
splice provide_buffers remove_buffers tee shutdown renameat unlinkat mkdirat symlinkat linkat msg_ring fsetxattr setxattr fgetxattr
getxattr socket uring_cmd send_zc sendmsg_zc read_multishot waitid futex_wait futex_wake futex_waitv fixed_fd_install ftruncate bind
listen recv_zc epoll_wait readv_fixed writev_fixed pipe
""".split()
UNNAMED = 78  # stands for files that were opened and that nobody can name
BEYOND = 79  # stands for every opcode past the table of the kernel side


def name(opcode: int) -> str:
    """What the kernel calls an opcode.

    >>> name(18), name(70), name(BEYOND)
    ('openat', 'op_70', 'beyond')
    """
    if opcode < len(NAMES):
        return NAMES[opcode]
    return {UNNAMED: "unnamed_open", BEYOND: "beyond"}.get(opcode, f"op_{opcode}")
