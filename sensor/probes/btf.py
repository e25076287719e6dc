"""Where the running kernel keeps the members that the probes read: offsets from its BTF, through libbpf.

Source: Documentation/bpf/btf.rst for the layout, libbpf's btf.h for the calls. Uses only the standard library, because
the loader runs under the distribution's Python.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

POINTER, STRUCT, UNION, TYPEDEF, FUNCTION, PROTOTYPE = 2, 4, 5, 8, 12, 13
MODIFIERS = {8, 9, 10, 11, 18}  # typedef, volatile, const, restrict, type_tag

# What a probe calls it → struct and member, alternatives for renamed ones.
MEMBERS: dict[str, tuple[str, ...]] = {
    "TASK_STATUS": ("task_struct.thread_info.status",),
    "TASK_PID": ("task_struct.pid",),
    "TASK_TGID": ("task_struct.tgid",),
    "TASK_MM": ("task_struct.mm",),
    "TASK_FS": ("task_struct.fs",),
    "TASK_FILES": ("task_struct.files",),
    "TASK_PARENT": ("task_struct.real_parent",),
    "TASK_SIGNAL": ("task_struct.signal",),
    "TASK_EXIT": ("task_struct.exit_code",),
    "TASK_CGROUPS": ("task_struct.cgroups",),
    "TASK_START": ("task_struct.start_boottime",),
    "SIGNAL_TTY": ("signal_struct.tty",),
    "SIGNAL_LIVE": ("signal_struct.live",),
    "CSS_SET_DFL": ("css_set.dfl_cgrp",),
    "CGROUP_KN": ("cgroup.kn",),
    "CGROUP_ROOT": ("cgroup.root",),
    "ROOT_HIERARCHY": ("cgroup_root.hierarchy_id",),
    "KN_PARENT": ("kernfs_node.__parent", "kernfs_node.parent"),  # renamed in 6.15
    "KN_NAME": ("kernfs_node.name",),
    "KN_ID": ("kernfs_node.id",),
    "FS_ROOT": ("fs_struct.root",),
    "FS_PWD": ("fs_struct.pwd",),
    "PATH_MNT": ("path.mnt",),
    "PATH_DENTRY": ("path.dentry",),
    "DENTRY_PARENT": ("dentry.d_parent",),
    "DENTRY_NAME": ("dentry.d_name.name",),
    "DENTRY_INODE": ("dentry.d_inode",),
    "VFSMOUNT_ROOT": ("vfsmount.mnt_root",),
    "MOUNT_MNT": ("mount.mnt",),
    "MOUNT_PARENT": ("mount.mnt_parent",),
    "MOUNT_POINT": ("mount.mnt_mountpoint",),
    "FILE_PATH": ("file.f_path", "file.__f_path"),
    "FILE_MODE": ("file.f_mode",),
    "INODE_INO": ("inode.i_ino",),
    "INODE_SB": ("inode.i_sb",),
    "INODE_MODE": ("inode.i_mode",),
    "INODE_NLINK": ("inode.i_nlink",),
    "SB_DEV": ("super_block.s_dev",),
    "SB_MAGIC": ("super_block.s_magic",),
    "MM_EXE": ("mm_struct.exe_file",),
    "MM_ARG_START": ("mm_struct.arg_start",),
    "MM_ARG_END": ("mm_struct.arg_end",),
    "BPRM_FILE": ("linux_binprm.file",),
    "BPRM_FILENAME": ("linux_binprm.filename",),
    "BPRM_INTERP": ("linux_binprm.interp",),
    "FILES_FDT": ("files_struct.fdt",),
    "FDT_FD": ("fdtable.fd",),
    "FDT_MAX": ("fdtable.max_fds",),
    "SOCK_NUM": ("sock_common.skc_num",),
    "SOCK_PROTOCOL": ("sock.sk_protocol",),
    "SOCK_FAMILY": ("sock_common.skc_family",),
    "SOCK_DPORT": ("sock_common.skc_dport",),
    "SOCK_FROM": ("sock_common.skc_rcv_saddr",),
    "SOCK_TO": ("sock_common.skc_daddr",),
    "SOCK_FROM6": ("sock_common.skc_v6_rcv_saddr",),
    "SOCK_TO6": ("sock_common.skc_v6_daddr",),
    "SOCK_NET": ("sock_common.skc_net.net",),
    "NET_INUM": ("net.ns.inum",),
    "TCP_UNA": ("tcp_sock.snd_una",),
    "TCP_NEXT": ("tcp_sock.rcv_nxt",),
    "KIOCB_OPCODE": ("io_kiocb.opcode",),
    "KIOCB_FLAGS": ("io_kiocb.flags",),
    "KIOCB_RESULT": ("io_kiocb.cqe.res",),
    "OPEN_SLOT": ("io_open.file_slot",),
    "KIOCB_RING": ("io_kiocb.ctx",),
    "RING_NODES": ("io_ring_ctx.file_table.data.nodes",),  # since 6.13
    "RING_NODES_MAX": ("io_ring_ctx.file_table.data.nr",),
    "NODE_FILE": ("io_rsrc_node.file_ptr",),
    "RING_FILES": ("io_ring_ctx.file_table.files",),  # before
    "RING_FILES_MAX": ("io_ring_ctx.nr_user_files",),
    "SOCK_CGROUP": ("sock.sk_cgrp_data.cgroup", "sock.sk_cgrp_data.val"),  # a union until 5.15
}


class BtfError(RuntimeError):
    """The kernel's type information is missing or lacks a member."""


class _Type(ctypes.Structure):
    _fields_ = (("name", ctypes.c_uint), ("info", ctypes.c_uint), ("size", ctypes.c_uint))


class _Member(ctypes.Structure):
    _fields_ = (("name", ctypes.c_uint), ("type", ctypes.c_uint), ("offset", ctypes.c_uint))


class _Parameter(ctypes.Structure):
    _fields_ = (("name", ctypes.c_uint), ("type", ctypes.c_uint))


def _library() -> ctypes.CDLL:
    lib = ctypes.CDLL("libbpf.so.1")
    lib.btf__load_vmlinux_btf.restype = ctypes.c_void_p
    lib.btf__find_by_name_kind.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint)
    lib.btf__type_by_id.argtypes = (ctypes.c_void_p, ctypes.c_uint)
    lib.btf__type_by_id.restype = ctypes.c_void_p
    lib.btf__name_by_offset.argtypes = (ctypes.c_void_p, ctypes.c_uint)
    lib.btf__name_by_offset.restype = ctypes.c_char_p
    lib.btf__free.argtypes = (ctypes.c_void_p,)
    return lib


class Kernel:
    """Types of the running kernel.

    Raises:
        BtfError: There is no /sys/kernel/btf/vmlinux.
    """

    def __init__(self) -> None:
        if not os.path.exists("/sys/kernel/btf/vmlinux"):
            raise BtfError("this kernel has no /sys/kernel/btf/vmlinux; it needs CONFIG_DEBUG_INFO_BTF")
        self._lib = _library()
        self._btf = self._lib.btf__load_vmlinux_btf()
        if not self._btf:
            raise BtfError("libbpf cannot read /sys/kernel/btf/vmlinux")

    def close(self) -> None:
        self._lib.btf__free(self._btf)

    def offset(self, path: str) -> int | None:
        """Bytes from the start of a struct to a member, e.g. "dentry.d_name.name"; None where there is none."""
        struct, *names = path.split(".")
        type_id = self._lib.btf__find_by_name_kind(self._btf, struct.encode(), STRUCT)
        total = 0
        for name in names:
            found = self._member(type_id, name) if type_id > 0 else None
            if found is None:
                return None
            total, type_id = total + found[0], found[1]
        return total

    def function(self, name: str) -> int:
        """Id of a function's type, by which a program is attached to it; 0 where there is none of this name."""
        return max(0, self._lib.btf__find_by_name_kind(self._btf, name.encode(), FUNCTION))

    def handed(self, tracepoint: str) -> str | None:
        """The struct that a tracepoint's first argument points to; "" where it points to none, None without such a tracepoint."""
        type_id = self._lib.btf__find_by_name_kind(self._btf, f"btf_trace_{tracepoint}".encode(), TYPEDEF)
        if type_id <= 0:
            return None
        address, kind = self._resolved(self._pointed(type_id))
        if kind.info >> 24 & 0x1F != PROTOTYPE or kind.info & 0xFFFF < 2:
            return ""
        _, own = (_Parameter * 2).from_address(
            address + ctypes.sizeof(_Type)
        )  # the first is the tracepoint's private data
        _, struct = self._resolved(self._pointed(own.type))
        return self._name(struct.name) if struct.info >> 24 & 0x1F == STRUCT else ""

    def _pointed(self, type_id: int) -> int:
        """What a pointer points to; 0, which is void, for all else."""
        _, kind = self._resolved(type_id)
        return kind.size if kind.info >> 24 & 0x1F == POINTER else 0

    def _member(self, type_id: int, name: str) -> tuple[int, int] | None:
        """Offset in bytes and type of a member, looked for in anonymous members as well."""
        for member, kind, bits in self._members(type_id):
            if member == name:
                return bits // 8, kind
            inner = self._member(kind, name) if member == "" else None
            if inner is not None:
                return bits // 8 + inner[0], inner[1]
        return None

    def _members(self, type_id: int) -> Iterator[tuple[str, int, int]]:
        address, kind = self._resolved(type_id)
        if kind.info >> 24 & 0x1F not in (STRUCT, UNION):
            return
        rows = (_Member * (kind.info & 0xFFFF)).from_address(address + ctypes.sizeof(_Type))
        for row in rows:
            yield self._name(row.name), row.type, row.offset & 0xFFFFFF if kind.info >> 31 else row.offset

    def _resolved(self, type_id: int) -> tuple[int, _Type]:
        while True:
            address = self._lib.btf__type_by_id(self._btf, type_id)
            kind = _Type.from_address(address)
            if kind.info >> 24 & 0x1F not in MODIFIERS:
                return address, kind
            type_id = kind.size  # a modifier keeps the type it modifies where a struct keeps its size

    def _name(self, offset: int) -> str:
        return (self._lib.btf__name_by_offset(self._btf, offset) or b"").decode()


def offsets() -> dict[str, int]:
    """Every offset of `MEMBERS` that this kernel has.

    Raises:
        BtfError: There is no BTF at all.
    """
    kernel = Kernel()
    try:
        return {name: at for name, paths in MEMBERS.items() if (at := _first(kernel, paths)) is not None}
    finally:
        kernel.close()


def _first(kernel: Kernel, paths: tuple[str, ...]) -> int | None:
    return next((at for path in paths if (at := kernel.offset(path)) is not None), None)
