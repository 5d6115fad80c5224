"""Recipes that are stopped in the midst of it."""

import contextlib
import os
import signal
import subprocess
import time


@contextlib.contextmanager
def started(command, folder, until, **environment):
    """A process that has come so far that a file is there; it is then killed.

    With its children, as by a machine that goes down. What it says is added to
    said.txt.

    Args:
        command: list of strings.
        folder: path; where it runs.
        until: pattern of the file's path in the folder.
        **environment: variables.
    """
    # In a shell's background Ctrl-C is ignored, and so it would be in there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with open(folder / "said.txt", "a") as said:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
                stdout=said,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        while process.poll() is None and not any(folder.glob(until)):
            time.sleep(0.02)
        assert process.poll() is None, process.stderr.read()[-3000:]
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()
