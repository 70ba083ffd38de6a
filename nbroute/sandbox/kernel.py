"""What the child gives up before the answer runs: capabilities, files, system calls.

`child.py` runs this file by its path, on Linux. Landlock's numbers are those of
https://docs.kernel.org/userspace-api/landlock.html, the system calls' those of the kernel's
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import struct
from collections.abc import Sequence

libc = ctypes.CDLL(None, use_errno=True)

# Each name with its number on x86_64 and on aarch64 (- where it has none), as one word.
#: Other processes, the network, memory and queues that outlive the child, the kernel's keys,
#: other namespaces, and all that starts a process: this one is watched, and has the limits.
REFUSED = """
fork,57,- vfork,58,- execve,59,221 execveat,322,281 setsid,112,157 setpgid,109,154
tkill,200,130 rt_sigqueueinfo,129,138 rt_tgsigqueueinfo,297,240 ptrace,101,117 kcmp,312,272
pidfd_send_signal,424,424 pidfd_open,434,434 pidfd_getfd,438,438 process_vm_readv,310,270
process_vm_writev,311,271 process_madvise,440,440 process_mrelease,448,448
perf_event_open,298,241 setpriority,141,140 ioprio_set,251,30 move_pages,279,239
migrate_pages,256,238 socket,41,198 connect,42,203 bind,49,200 listen,50,201 accept,43,202
accept4,288,242 shmget,29,194 shmat,30,196 shmctl,31,195 msgget,68,186 msgsnd,69,189
msgrcv,70,188 msgctl,71,187 semget,64,190 semop,65,193 semctl,66,191 semtimedop,220,192
mq_open,240,180 mq_unlink,241,181 memfd_create,319,279 memfd_secret,447,447
inotify_init,253,- inotify_init1,294,26 fanotify_init,300,262 add_key,248,217
request_key,249,218 keyctl,250,219 bpf,321,280 seccomp,317,277 userfaultfd,323,282
io_uring_setup,425,425 io_uring_enter,426,426 io_uring_register,427,427
name_to_handle_at,303,264 open_by_handle_at,304,265 unshare,272,97 setns,308,268 mount,165,40
umount2,166,39 pivot_root,155,41 chroot,161,51 open_tree,428,428 move_mount,429,429
fsopen,430,430 fsconfig,431,431 fsmount,432,432 fspick,433,433 mount_setattr,442,442
swapon,167,224 swapoff,168,225 quotactl,179,60 quotactl_fd,443,443 personality,135,92
syslog,103,116 acct,163,89 reboot,169,142 kexec_load,246,104 kexec_file_load,320,294
init_module,175,105 finit_module,313,273 delete_module,176,106 mknod,133,- mknodat,259,33
"""
#: Changes to any file of the user's that Landlock (truncate: before Linux 6.2) lets through.
CHANGES = """
truncate,76,45 chown,92,- lchown,94,- fchown,93,55 fchownat,260,54 setxattr,188,5
lsetxattr,189,6 fsetxattr,190,7 removexattr,197,14 lremovexattr,198,15 fremovexattr,199,16
"""
#: Likewise, but the call appears to succeed: `shutil.copy` would fail otherwise.
SHAMMED = """
chmod,90,- fchmod,91,52 fchmodat,268,53 fchmodat2,452,452 utime,132,- utimes,235,-
futimesat,261,- utimensat,280,88
"""
#: glibc gets by without this one.
ABSENT = "clone3,435,435"
NEWEST = 456  # system calls numbered above are not known here
#: The number of the architecture in a filter, and the place of its numbers above.
MACHINES = {"x86_64": (0xC000003E, 1, 126), "aarch64": (0xC00000B7, 2, 91)}

THREAD, STREAM, ALL = 0x10000, 1, 0xFFFFFFFF
#: (call, argument, mask, value): refused unless the masked argument is the value; its own
#: number stands for the process that makes the call.
ONLY = (
    ("clone,56,220", 0, THREAD, THREAD),
    ("kill,62,129", 0, ALL, None),
    ("tgkill,234,131", 0, ALL, None),
    ("prlimit64,302,261", 0, ALL, 0),
    ("sched_setaffinity,203,122", 0, ALL, 0),
    ("sched_setscheduler,144,119", 0, ALL, 0),
    ("sched_setparam,142,118", 0, ALL, 0),
    ("sched_setattr,314,274", 0, ALL, 0),
    ("socketpair,53,199", 0, ALL, 1),  # AF_UNIX, with which asyncio wakes itself;
    ("socketpair,53,199", 1, 15, STREAM),  # a datagram could be sent elsewhere
)
#: The same the other way round: what ends it with its parent, whom its files signal, terminals.
NEVER = (
    ("prctl,157,167", 0, ALL, 1),
    ("fcntl,72,25", 1, ALL, 8),
    ("fcntl,72,25", 1, ALL, 15),
    ("ioctl,16,29", 1, ALL, 0x5412),
    ("ioctl,16,29", 1, ALL, 0x541C),
    ("ioctl,16,29", 1, ALL, 0x8901),
    ("ioctl,16,29", 1, ALL, 0x8902),
)
LOAD, EQUAL, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
KILL, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

READ_FILE, READ_FOLDER, WRITE_FILE, TRUNCATE = 1 << 2, 1 << 3, 1 << 1, 1 << 14
#: Remove and make files and folders, make links, move from folder to folder.
INSIDE = READ_FILE | READ_FOLDER | WRITE_FILE | TRUNCATE | 0b11_0001_1011_0000


def confine(box: str, folder: str, readable: Sequence[str], devices: Sequence[str]) -> None:
    """For good: no way to more rights, no files elsewhere (with Landlock), few system calls.

    Raises OSError where the kernel cannot do that.
    """
    machine = platform.machine()
    if machine not in MACHINES or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, f"the system calls of {machine} are not known")
    call("prctl", 1, signal.SIGKILL)  # at the parent's end
    call("prctl", 38, 1, 0, 0, 0)  # no new privileges
    no_capabilities = ctypes.create_string_buffer(24)
    call("syscall", MACHINES[machine][2], struct.pack("=Ii", 0x20080522, 0), no_capabilities)
    if box == "Landlock":
        restrict_files(folder, readable, devices)
    program = system_calls(machine, walled=box == "bubblewrap")
    text = ctypes.create_string_buffer(b"".join(program))
    call("prctl", 22, 2, struct.pack("HxxxxxxP", len(program), ctypes.addressof(text)), 0, 0)


def call(function: str, *arguments: object) -> int:
    """A function of the C library; OSError where it fails."""
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = getattr(libc, function)(*wide)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def restrict_files(folder: str, readable: Sequence[str], devices: Sequence[str]) -> None:
    """Landlock: the folder may be written, those others read, and nothing else opened."""
    version = call("syscall", 444, None, 0, 1)
    kinds = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    handled = (1 << kinds) - 1
    rules = struct.pack("=QQQ", handled, 0b11 * (version >= 4), 0b11 * (version >= 6))
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = call("syscall", 444, rules, size, 0)
    devices_too = [(path, READ_FILE | WRITE_FILE) for path in devices]
    reading = [(path, READ_FILE | READ_FOLDER) for path in readable]
    for path, rights in ((folder, INSIDE), *reading, *devices_too):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = rights & handled if os.path.isdir(path) else rights & (READ_FILE | WRITE_FILE)  # noqa: PTH112 - no pathlib here
        call("syscall", 445, ruleset, 1, struct.pack("=Qi", allowed, place), 0)
        os.close(place)
    call("syscall", 446, ruleset, 0)
    os.close(ruleset)


def system_calls(machine: str, *, walled: bool) -> list[bytes]:
    """The filter's instructions: https://docs.kernel.org/userspace-api/seccomp_filter.html.

    `walled`: no file of the user's is in sight, so that what changes one is let through.
    """
    architecture, column, _ = MACHINES[machine]

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("=HBBI", code, yes, no, value)

    def numbers(names: str) -> list[int]:
        words = [one.split(",")[column] for one in names.split()]
        return [int(word) for word in words if word != "-"]

    refuse = step(RETURN, ERRNO | errno.EPERM)
    steps = [step(LOAD, 4), step(EQUAL, architecture, 1, 0), step(RETURN, KILL), step(LOAD, 0)]
    steps += [step(AT_LEAST, NEWEST + 1, 0, 1), step(RETURN, ERRNO | errno.ENOSYS)]
    answers = {ABSENT: step(RETURN, ERRNO | errno.ENOSYS), REFUSED: refuse}
    if not walled:
        answers |= {CHANGES: refuse, SHAMMED: step(RETURN, ERRNO)}
    for names, answer in answers.items():
        for number in numbers(names):
            steps += [step(EQUAL, number, 0, 1), answer]
    for rules, (yes, no) in ((ONLY, (1, 0)), (NEVER, (0, 1))):
        for name, argument, mask, value in rules:
            wanted = os.getpid() if value is None else value
            steps += [step(EQUAL, numbers(name)[0], 0, 5), step(LOAD, 16 + 8 * argument)]
            steps += [step(AND, mask), step(EQUAL, wanted, yes, no), refuse, step(LOAD, 0)]
    return [*steps, step(RETURN, ALLOW)]
