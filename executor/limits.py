"""What a worker process imposes on itself, once, right after it was forked.

Input: the process as its parent left it. Output: a process that is its own session, cannot
outlive its parent, is ended first when memory runs out, and writes to its own log.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_OOM_ADJUSTMENT = 800  # of 1000: the system ends a worker before any program of the user
_OPEN_FILES = 4096
_RESET = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


def name_process(name: str) -> None:
    """The name shown by ``ps`` and ``top``; at most 15 characters are kept."""
    _prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:15] + b"\0"))


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def isolate(parent: int) -> None:
    """Own session and process group, killed with `parent`; limits on files and core dumps.

    Ends the process if `parent` (the id of the process that forked this one) has ended before.
    """
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        # It ended before the death signal was asked for, which then never comes.
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    # Some containers make it read-only; then the system chooses by size alone.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_ADJUSTMENT))


def reset_signals() -> None:
    """Default handlers and nothing blocked, whatever the parent had set."""
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def redirect(log: Path) -> None:
    """Read nothing from stdin, append stdout and stderr to `log` (dropped if it cannot be)."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        # Appending keeps the file right when another process truncates it.
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError:
        output = nothing
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for descriptor in {nothing, output} - {0, 1, 2}:
        os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")


def enter(directory: Path) -> None:
    """Work in `directory` (made here), temporary files of libraries included."""
    directory.mkdir(mode=0o700, exist_ok=True)
    os.chdir(directory)
    for name in ("TMPDIR", "JOBLIB_TEMP_FOLDER"):
        os.environ[name] = str(directory)
    tempfile.tempdir = None  # forget what the parent process had found


def _prctl(option: int, value: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # The kernel reads unsigned longs; unused ones must be zero.
    zero = ctypes.c_ulong(0)
    argument = ctypes.c_ulong(value) if isinstance(value, int) else value
    if libc.prctl(option, argument, zero, zero, zero) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
