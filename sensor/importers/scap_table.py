"""Event types of .scap captures: which number is which event, and where its parameters stand.

Facts taken from the public header of falcosecurity/libs (driver/ppm_events_public.h) and its event table; no code. A
type is ``2 * pair`` for the entry and ``2 * pair + 1`` for the exit. Types are never renumbered, only added, parameters
are only appended, so old and new captures read with one table. A name with "-" in front is no system call.
"""

from __future__ import annotations

NAMES = """
syscall open close read write brk execve clone -procexit socket bind connect listen accept send sendto recv recvfrom
shutdown getsockname getpeername socketpair setsockopt getsockopt sendmsg sendmmsg recvmsg recvmmsg accept creat pipe
eventfd futex stat lstat fstat stat64 lstat64 fstat64 epoll_wait poll select select lseek llseek ioctl getcwd chdir
fchdir mkdir rmdir openat link linkat unlink unlinkat pread pwrite readv writev preadv pwritev dup signalfd kill tkill
tgkill nanosleep timerfd_create inotify_init getrlimit setrlimit prlimit -switch -drop fcntl -switch execve clone brk
mmap mmap2 munmap splice ptrace ioctl execve rename renameat symlink symlinkat fork vfork -procexit sendfile quotactl
setresuid setresgid -scapevent setuid setgid getuid geteuid getgid getegid getresuid getresgid execve clone fork vfork
clone fork vfork -container execve -signaldeliver -procinfo getdents getdents64 setns flock -cpu_hotplug accept accept
semop semctl ppoll mount umount -k8s semget access chroot -tracer -mesos -container setsid mkdir rmdir -notification
execve unshare -infra execve -page_fault execve setpgid bpf seccomp unlink unlinkat mkdirat openat link linkat
fchmodat chmod fchmod renameat2 userfaultfd -pluginevent -container openat2 mprotect execveat copy_file_range clone3
open_by_handle_at io_uring_setup io_uring_enter io_uring_register mlock munlock mlockall munlockall capset -useradded
-userdeleted -groupadded -groupdeleted dup2 dup3 dup bpf mlock2 fsconfig epoll_create epoll_create1 chown lchown
fchown fchownat umount accept4 umount2 pipe2 inotify_init1 eventfd2 signalfd4 prctl -asyncevent memfd_create
pidfd_getfd pidfd_open init_module finit_module mknod mknodat newfstatat process_vm_readv process_vm_writev
delete_module setreuid setregid -task -task_file_pipe -task_file_memfd -task_file_regular -task_file_directory
-task_file_socket_inet -task_file_socket_inet6 -task_file_socket_unix -task_file_socket_netlink -task_file_anon_inode
close_range keyctl
"""
PAIRS = NAMES.split()

# Words that differ from the kernel's own, for x86_64.
KERNEL_NAMES = {
    "pread": "pread64",
    "pwrite": "pwrite64",
    "prlimit": "prlimit64",
    "send": "sendto",
    "recv": "recvfrom",
    "umount": "umount2",
    "llseek": "lseek",
    "mmap2": "mmap",
    "stat64": "stat",
    "lstat64": "lstat",
    "fstat64": "fstat",
}

RES, EXE, ARGS, TID, PID, PTID, CWD = range(7)  # the first parameters of every execve, clone, fork and vfork exit
COMM, CGROUPS = 13, 14  # where the event is new enough

CLONES = {15: (8, 9), 157: (13, 14), 183: (13, 14), 185: (13, 14)}  # exit type → where flags and uid stand
CLONES |= {217: (14, 15), 219: (14, 15), 221: (14, 15)}
CLONES |= {223: (15, 16), 225: (15, 16), 227: (15, 16), 335: (15, 16)}
WITH_COMM = {t for t in CLONES if t >= 217} | {215, 231, 283, 289, 293, 331}
WITH_CGROUPS = {t for t in CLONES if t >= 223} | {231, 283, 289, 293, 331}
EXECS = {13, 155, 173, 215, 231, 283, 289, 293, 331}
EXEC_UID, EXEC_TRUSTED_PATH, EXEC_FILENAME = 26, 27, 30  # of 293; 331 has the first two
EXEC_FLAGS = 19
EXEC_ENTRY_PATH = {288: 0, 292: 0}  # entry type → where the file name stands
UPPER, MEMFD, LOWER = 2, 4, 8  # bits of EXEC_FLAGS
OPENS = {3: (1, 2), 59: (1, None), 307: (2, 3), 327: (2, 3), 337: (3, 2)}  # exit type → where name and flags stand
OPEN_DIRFD = {307: 1, 327: 1}
OLD_OPENAT_ENTRY, OLD_OPENAT_EXIT = 102, 103  # name in the entry alone
WRITE = 2  # bit of open flags
CONNECT_ENTRY, CONNECT_EXIT = 22, 23
ACCEPTS = {27, 57, 247, 249, 389}
SENDS_ENTRY = {30: 2, 48: 2}  # where the tuple stands
SENDS_EXIT = {29: 4, 31: 4, 49: 4, 51: 4}
SOCKET_ENTRY, SOCKET_EXIT = 18, 19
CHDIR_EXIT = 95
PROC_EXITS = {16, 186}
DROPS = {148, 149}
CONTAINERS = {272, 324}
GENERIC_ENTRY, GENERIC_EXIT = 0, 1
CHILD_RETURNS = set(CLONES)


def name(kind: int) -> str:
    """What the capture's own tools call an event type; "unknown" for one newer than this table."""
    return PAIRS[kind >> 1].removeprefix("-") if kind >> 1 < len(PAIRS) else "unknown"


def is_call(kind: int) -> bool:
    """Whether an event type is a system call."""
    return kind >> 1 < len(PAIRS) and not PAIRS[kind >> 1].startswith("-")
