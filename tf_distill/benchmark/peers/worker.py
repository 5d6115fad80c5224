"""A process that does as it is told over a pipe.

    python worker.py FILE

FILE defines `REQUIRES`, names of packages; `INSTALL`, how to get these; and
`Side(job)`, with `facts`, a dict, and `run(steps)`, which may return seconds to
count in place of those that it took. Each line of the standard input is a task
in JSON, each line of the standard output the answer; what libraries print goes
to the standard error.
"""

import importlib.util
import json
import os
import pathlib
import resource
import sys
import time
import traceback


def main(file):
    """Answers tasks until the input ends."""
    # Whatever a library prints would else be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    side = None
    for line in sys.stdin:
        task = json.loads(line)
        try:
            if task["do"] == "prepare":
                side, answer = _prepare(_module(file), task["job"])
            else:
                answer = _run(side, task["steps"])
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


def _prepare(module, job):
    missing = [
        name
        for name in module.REQUIRES
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        return None, {"missing": missing, "install": module.INSTALL}
    side = module.Side(job)
    _forget_peak()
    return side, {"facts": side.facts}


def _run(side, steps):
    start = time.perf_counter()
    seconds = side.run(steps)
    if seconds is None:
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_bytes": peak_bytes()}


def _module(file):
    file = pathlib.Path(file).resolve()
    # For what stands beside it; this file's own folder is there already.
    sys.path.insert(0, str(file.parent))
    specification = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _forget_peak():
    """Lets the peak begin anew, so that it is the steps' and not the set-up's.

    Linux only; elsewhere it stays that of the whole process.
    """
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak_bytes():
    """The most memory that this process has held, in bytes.

    Example:
        >>> peak_bytes() > 2**20
        True
    """
    try:
        status = pathlib.Path("/proc/self/status").read_text()
        kibibytes = status.partition("VmHWM:")[2].split()[0]
        return int(kibibytes) * 1024
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(sys.argv[1])
