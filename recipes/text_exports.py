"""A text classifier's exports: written, scored in new processes and timed.

Copy this file and what it imports along with the recipe that you copy.
"""

import contextlib
import json
import os
import pathlib
import re
import uuid

from progress_line import ProgressLine, say
from run_report import model_row

RECORD = "export.json"  # in the run folder: where the SavedModel goes
MARK = "assets.extra/run.txt"  # in a version: whose it is


def check_place(saved_models, name):
    """Raises, before hours of training, where an export could not go."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            f"--name {name}: expected letters, digits, '.', '_' and '-', as it "
            "becomes a folder."
        )
    folder = pathlib.Path(saved_models, name).absolute()
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    for path in new:
        with contextlib.suppress(OSError):
            path.rmdir()
    if not writable:
        raise ValueError(
            f"{folder} is not a folder that can be made or written to. Choose "
            "another with --saved-models."
        )


def published(run):
    """The run's own SavedModel's version folder, None if there is none."""
    record = pathlib.Path(run, RECORD)
    if not record.exists():
        return None
    record = json.loads(record.read_text())
    for version in pathlib.Path(record["folder"]).glob("[1-9]*"):
        mark = version / MARK
        if mark.exists() and mark.read_text() == record["id"]:
            return version
    return None


def marker(run, folder):
    """Notes where a run will export to; returns what marks a version as its.

    Beforehand, so that a run which is killed as soon as the version is there
    finds it again, and takes no other run's for its own.

    Args:
        run: the run folder.
        folder: the model's folder.

    Returns:
        Function of an unfinished version's path.
    """
    record = {"id": uuid.uuid4().hex, "folder": str(folder.absolute())}
    partial = pathlib.Path(run, f".{RECORD}.partial")
    partial.write_text(json.dumps(record))
    partial.replace(pathlib.Path(run, RECORD))

    def mark(version):
        path = version / MARK
        path.parent.mkdir(exist_ok=True)
        path.write_text(record["id"])

    return mark


class Exporter:
    """Exports a student and scores each export in a process of its own.

    Args:
        run: the run folder, where the .tflite files go.
        saved_models: folder of the SavedModel, of which it becomes a version.
        student: a text classifier in float32.
        table, encoded: `Table` to score on, and its token ids.
        expected: the student's logits of it, `(N, C)`.
        name: of the .tflite files.
    """

    def __init__(
        self,
        run,
        saved_models,
        student,
        table,
        encoded,
        expected,
        name="student",
    ):
        self.run, self.name = run, name
        self.saved_models = saved_models
        self.student = student
        self.encoded = encoded
        self.expected = expected
        self.pairs = table.second_texts is not None
        self.texts = table.texts
        if self.pairs:
            pairs = zip(table.texts, table.second_texts, strict=True)
            self.texts = list(pairs)
        self.logits = {}  # of each export, by its name
        # Of three formats, each written and then scored.
        self.line, self.steps = ProgressLine("exporting", 6), 0

    def export(self):
        """Writes every format; returns their paths by name.

        A version that does not compute what the student does is not
        published.
        """
        import tf_distill as td

        say("Exporting the student; each export is scored in a new process.")
        version = published(self.run)  # by an earlier attempt
        if version is not None:
            self.check("SavedModel", version)
        else:
            mark = marker(self.run, self.saved_models)

            def check(unfinished):
                self.check("SavedModel", unfinished)
                mark(unfinished)

            version = td.export.saved_model(
                self.student, self.saved_models, pairs=self.pairs, check=check
            )
        paths = {"SavedModel": version}
        for name, suffix, quantization in (
            ("LiteRT", ".tflite", None),
            ("LiteRT int8", ".int8.tflite", "int8_dynamic"),
        ):
            paths[name] = td.export.litert(
                self.student,
                self.run / f"{self.name}{suffix}",
                quantization=quantization,
            )
            self.check(name, paths[name])
        self.line.end()
        return paths

    def check(self, name, path):
        """Scores an export; raises if it is not the student."""
        import tf_distill as td

        task, raw = self.student.task, name == "SavedModel"
        self.steps += 1
        outputs = td.export.score_in_new_process(
            path,
            self.texts if raw else None,
            self.encoded,
            on_progress=lambda done, rows: self.line.show(
                self.steps + done / rows
            ),
        )
        self.steps += 1
        self.line.end()
        if "int8" not in name:  # quantized: its score says how far off it is
            differences = td.export.check_outputs(
                outputs, self.expected, task, 1e-4 if raw else 1e-3
            )
            for key, difference in differences.items():
                say(f"{name}, {key}: within {difference:.0e} of Keras.")
        kind = "score" if task == "regression" else "logits"
        self.logits[name] = outputs[f"{'text' if raw else 'tokens'}_{kind}"]
        self.line.show(self.steps)


def time_all(models, length, rounds):
    """Latencies at batch 1, all in turn, on all cores.

    Args:
        models: dict of Keras models and paths of exports, by name.
        length: int, tokens of the text.
        rounds: int.

    Returns:
        dict of ms by name.
    """
    import tf_distill as td

    say(f"Timing one text of {length} tokens, all models in turn.")
    cores = td.benchmark.describe_machine()["cores"]
    callables = {
        name: td.benchmark.callable_of(model, 1, length, cores)
        for name, model in models.items()
    }
    times = td.benchmark.measure_latency(callables, rounds)
    return {name: time.median for name, time in times.items()}


def table_rows(models, exports, scores, latencies, length, student="student"):
    """A row for each model and export, beside the first one's scores.

    Args:
        models: dict of float32 models by name; where the name is no role, the
            caller puts it right.
        exports: dict of paths by name, of the student.
        scores: dict of each one's scores, the teacher's first.
        latencies: dict of ms.
        length: int, tokens of a text, for the FLOPs.
        student: name of the model that was exported.

    Returns:
        list of dicts.
    """
    from tf_distill.benchmark.parity import size_of

    rows = []
    for name, found in scores.items():
        role, model = name, models.get(name)
        if name in exports:
            role, model = "export", models[student]
        row = model_row(name, role, model, length)
        if name in exports:
            row["bytes"] = size_of(exports[name])
        best = rows[0] if rows else found
        kept = {  # of nothing, or of less, there is no share
            f"retained_{key}": value / best[key] if best[key] > 0 else None
            for key, value in found.items()
        }
        rows.append({**row, **found, **kept, "latency_ms": latencies[name]})
    return rows
