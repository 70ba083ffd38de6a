"""The package can be imported where there is no POSIX: Windows' gaps, made here."""

from __future__ import annotations

from ledgers import python

#: What Windows has not. Other packages are imported before it goes: they have their own ways there.
WINDOWS = """
    import os, pkgutil, signal, sys
    import anywidget, ipykernel, ipywidgets, msgspec, numpy, openai, pandas, platformdirs, tqdm
    import IPython, concurrent.futures.process, multiprocessing, pydantic, subprocess, tempfile

    for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "syslog"):
        sys.modules[name] = None
    for name in ("fork", "register_at_fork", "killpg", "getuid", "setsid", "O_NOFOLLOW",
                 "O_DIRECTORY", "mkfifo", "sched_getaffinity", "uname"):
        if hasattr(os, name):
            delattr(os, name)
    for name in ("SIGKILL", "SIGALRM", "SIGHUP", "pthread_sigmask", "setitimer"):
        delattr(signal, name)
    sys.platform = "win32"

    import nbroute
    for module in pkgutil.walk_packages(nbroute.__path__, "nbroute."):
        # Run as a script in the box, which is made by another system's kernel.
        if module.name.rpartition(".")[2] not in ("__main__", "child", "kernel"):
            __import__(module.name)
    router = nbroute.Router(profile="simulated")
    assert "Paris" in router.route("What is the capital of France?").text
    router.record("answers.txt")
    router.route("What is the capital of Italy?")
    try:
        router.allow_code()
    except nbroute.errors.SettingsError as error:
        print(error)
    router.close()
"""


def test_without_posix_it_imports_routes_records_and_refuses_to_run_code():
    with python(WINDOWS) as process:
        out, err = process.communicate(timeout=120)

    assert ("", 0) == (err, process.returncode)
    assert "win32" in out
