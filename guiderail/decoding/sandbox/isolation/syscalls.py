"""The system calls that a program in the sandbox may make, as a seccomp filter.

Every number up to `LAST` was reviewed: what is not in `DENIED` is allowed. Later system calls do not exist in the
sandbox. A call by another architecture's numbers (32-bit, x32) ends the process.

No call makes a socket that has an address: pairs of connected streams alone, which event loops need. No call keeps
memory where it is not seen in a process or in the sandbox's file system: no memfd, no System V objects, no shared
anonymous mappings. None reaches another process's memory, limits or priority: process 1, which watches, may have the
same user.
"""

from __future__ import annotations

import ctypes
import errno

from guiderail.decoding.sandbox.isolation import kernel

LAST = 466  # removexattrat; the numbers from 424 on are the same everywhere
# Numbers on x86_64 and aarch64; None where there is no such call.
DENIED: dict[str, tuple[int | None, int | None]] = {
    # Other processes.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272), "pidfd_getfd": (438, 438),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    # Namespaces, mounts, files by handles.
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "statmount": (457, 457), "listmount": (458, 458), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89),
    "swapon": (167, 224), "swapoff": (168, 225), "lookup_dcookie": (212, 18), "ustat": (136, None),
    "sysfs": (139, None),
    # Large parts of the kernel that tests have no use for.
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "seccomp": (317, 277), "personality": (135, 92),
    "syslog": (103, 116), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "create_module": (174, None), "reboot": (169, 142),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "vhangup": (153, 58), "iopl": (172, None),
    "ioperm": (173, None), "modify_ldt": (154, None), "nfsservctl": (180, 42), "uselib": (134, None),
    "_sysctl": (156, None),
    # Sockets.
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242),
    # Memory that is not seen in a process.
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "shmctl": (31, 195), "shmdt": (67, 197), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "mbind": (237, 235), "set_mempolicy": (238, 237),
    "set_mempolicy_home_node": (450, 450), "migrate_pages": (256, 238), "move_pages": (279, 239),
    "remap_file_pages": (216, 234),
}  # fmt: skip
CLONE3 = 435  # its flags are in memory, where a filter cannot look; libraries fall back to clone
CLONE, SOCKETPAIR, MMAP, IOCTL, PRLIMIT = (56, 220), (53, 199), (9, 222), (16, 29), (302, 261)
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*, in the order of the columns
NAMESPACES = (
    kernel.NEWNS | kernel.NEWCGROUP | kernel.NEWUTS | kernel.NEWIPC | kernel.NEWUSER | kernel.NEWPID | kernel.NEWNET
)
X32 = 0x40000000
UNIX, STREAM, TYPE_MASK = 1, 1, 0xF
SHARED_ANONYMOUS = 0x21  # either kind of MAP_SHARED has the lowest bit
TYPE_ON_TERMINAL = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

KILL, ALLOW, ERROR = 0x80000000, 0x7FFF0000, 0x00050000
LOAD, EQUAL, GREATER, AND, RETURN = 0x20, 0x15, 0x25, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in seccomp_data; arguments are 8 bytes, low half first


# One instruction of classic BPF: code, jumps if true and if false (counted from the next one), value.
Instruction = tuple[int, int, int, int]


def instructions(machine: str) -> list[Instruction]:
    """The filter of an architecture, a key of `MACHINES`."""
    column = list(MACHINES).index(machine)
    refuse = [(RETURN, 0, 0, ERROR | errno.EPERM)]
    missing = [(RETURN, 0, 0, ERROR | errno.ENOSYS)]
    found = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, MACHINES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
    ]
    if machine == "x86_64":
        found += [(GREATER, 0, 1, X32 - 1), (RETURN, 0, 0, KILL)]
    found += [(GREATER, 0, 1, LAST), *missing, (EQUAL, 0, 1, CLONE3), *missing]
    for numbers in DENIED.values():
        number = numbers[column]
        if number is not None:
            found += [(EQUAL, 0, 1, number), *refuse]
    for numbers, rule in _RULES:
        found += [(EQUAL, 0, len(rule), numbers[column]), *rule]
    return [*found, (RETURN, 0, 0, ALLOW)]


def _argument(index: int, mask: int = 0) -> list[Instruction]:
    """Load the low half of an argument: no flag that is looked at is above, and the kernel takes int for the rest."""
    load = [(LOAD, 0, 0, ARGUMENTS + 8 * index)]
    return [*load, (AND, 0, 0, mask)] if mask else load


def _allow_unless(*, value: int) -> list[Instruction]:
    """End with an error if the value that was loaded is this one, else allow."""
    return [
        (EQUAL, 0, 1, value),
        (RETURN, 0, 0, ERROR | errno.EPERM),
        (RETURN, 0, 0, ALLOW),
    ]


def _only_if(*, value: int) -> list[Instruction]:
    """End with an error unless the value that was loaded is this one."""
    return [(EQUAL, 1, 0, value), (RETURN, 0, 0, ERROR | errno.EPERM)]


_ALLOWED = [(RETURN, 0, 0, ALLOW)]
_RULES: list[tuple[tuple[int, int], list[Instruction]]] = [
    (CLONE, [*_argument(0, NAMESPACES), *_only_if(value=0), *_ALLOWED]),
    (SOCKETPAIR, [*_argument(0), *_only_if(value=UNIX), *_argument(1, TYPE_MASK), *_only_if(value=STREAM), *_ALLOWED]),
    (MMAP, [*_argument(3, SHARED_ANONYMOUS), *_allow_unless(value=SHARED_ANONYMOUS)]),
    (
        IOCTL,
        [
            *_argument(1),
            (EQUAL, 1, 0, TYPE_ON_TERMINAL[0]),
            *_allow_unless(value=TYPE_ON_TERMINAL[1]),
        ],
    ),
    (PRLIMIT, [*_argument(0), *_only_if(value=0), *_ALLOWED]),
]


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16), ("if_true", ctypes.c_uint8), ("if_false", ctypes.c_uint8), ("value", ctypes.c_uint32)
    ]  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction))]


def restrict() -> None:
    """Restrict this process and its descendants to these system calls; no_new_privs must be set."""
    found = instructions(kernel.MACHINE)
    array = (_Instruction * len(found))(*(_Instruction(*one) for one in found))
    program = _Program(len(found), ctypes.cast(array, ctypes.POINTER(_Instruction)))
    kernel.done(kernel.prctl(kernel.SET_SECCOMP, 2, program), "filter system calls")
