"""A text classifier's exports: written, scored in new processes and timed.

Copy this file and what it imports along with the recipe that you copy.
"""

import contextlib
import functools
import os
import pathlib
import re

from progress_line import ProgressLine, say
from run_folder import model_row

VERSION = "exported_version.txt"  # the SavedModel's, in the run folder


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
    """The SavedModel's version folder, None if there is none (any more)."""
    record = pathlib.Path(run, VERSION)
    if record.exists() and pathlib.Path(record.read_text()).is_dir():
        return pathlib.Path(record.read_text())
    return None


def publish(run, place, export):
    """Exports the next version of a model, noted before it is there.

    So that a run which is killed as soon as it is there finds it again.

    Args:
        run: the run folder.
        place: the model's folder.
        export: function of a `version`, a number, that returns its folder.
    """
    numbers = [int(p.name) for p in place.glob("*") if p.name.isdecimal()]
    version = max(numbers, default=0) + 1
    partial = pathlib.Path(run, f".{VERSION}.partial")
    partial.write_text(str(place / str(version)))
    partial.replace(pathlib.Path(run, VERSION))
    return export(version=version)


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
        check = functools.partial(self.check, "SavedModel")
        if version is not None:
            check(version)
        else:
            version = publish(
                self.run,
                self.saved_models,
                functools.partial(
                    td.export.saved_model,
                    self.student,
                    self.saved_models,
                    pairs=self.pairs,
                    check=check,
                ),
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
