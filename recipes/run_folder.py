"""Run folders: what the recipes that train have in common.

A run folder belongs to one configuration, and to one process at a time. It
holds config.json, the stages' checkpoints, log.csv, tensorboard/, and in the
end the model, results.json, curves.png and a model card.

Copy this file along with the recipe that you copy.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import shutil


def command_line(main, config_class):
    """Runs a recipe: its options, and its mistakes without a traceback."""
    import tyro

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("tensorflow").setLevel("ERROR")  # retracing is expected
    try:
        config = tyro.cli(config_class)
        check_numbers(config)
        main(config)
    except (ValueError, OSError) as mistake:
        raise SystemExit(f"error: {mistake}") from None
    except KeyboardInterrupt:
        raise SystemExit(
            "Interrupted. Run the same command again to go on."
        ) from None


def check_numbers(config):
    """Refuses sizes and learning rates of nothing, and what is below 0.

    Raises:
        ValueError: names the option.
    """
    above = ("batch_size", "max_length", "rows", "learning_rate")
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value is None or not field.name.endswith((*above, "epochs", "seed")):
            continue
        positive = field.name.endswith(above)
        if not (value > 0 if positive else value >= 0):
            raise ValueError(
                f"--{field.name.replace('_', '-')} {value}: expected "
                f"{'more than 0' if positive else '0 or more'}."
            )


def identity(config, recipe, *, but=("run", "control", "cache")):
    """What a run folder belongs to: the settings, and what is in the files.

    Args:
        config: dataclass of a recipe.
        recipe: path of the recipe, `__file__`.
        but: names of settings that may differ from call to call.

    Returns:
        dict that JSON can hold. Files and models' folders count by their
        contents; what the training data holds, `run_stages` compares itself.
    """
    settings = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if field.name not in but
    }
    digests = {}
    for name, value in settings.items():
        if name == "data" or not isinstance(value, (str, pathlib.Path)):
            continue
        path = pathlib.Path(value)
        if path.is_file() or (path / "config.json").exists():
            digests[name] = digest(path)
    settings = {"recipe": pathlib.Path(recipe).stem, **settings}
    return json.loads(json.dumps({**settings, "sha256": digests}, default=str))


def digest(path):
    """SHA-256 of a file, or of the files in a model's folder."""
    path = pathlib.Path(path)
    # A preset has its tokenizer in folders of its own.
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            with open(file, "rb") as content:
                found = hashlib.file_digest(content, "sha256")
            total.update(found.digest())
    return total.hexdigest()


@contextlib.contextmanager
def run_folder(run, settings, option="--run"):
    """Holds a run folder: one process at a time, one configuration for good.

    Args:
        run: path of the folder; made if it is not there.
        settings: `identity`'s.
        option: what the folder is given by.

    Raises:
        ValueError: it is in use, of another configuration, holds other files,
            or cannot be written to. A new folder is removed again if a mistake
            is found before anything was made.
    """
    run = pathlib.Path(run)
    if run.is_file():
        raise ValueError(
            f"{option} {run} is a file. Choose a folder, which need not exist."
        )
    new, written = not run.exists(), run / "config.json"
    _check_same(written, settings, option)  # before anything is put into it
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = open(run / ".lock", "w")
    except OSError as error:
        raise ValueError(
            f"the run folder {run} cannot be written to ({error.strerror}). "
            f"Choose another with {option}."
        ) from None
    with lock:
        try:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # Windows has no such locks
        except OSError:
            raise ValueError(
                f"the run folder {run} is in use by another process. Wait for "
                f"it, or choose another with {option}."
            ) from None
        if not written.exists():
            partial = run / ".config.json.partial"
            partial.write_text(json.dumps(settings, indent=2) + "\n")
            partial.replace(written)
        try:
            yield
        except (ValueError, OSError):
            if new and not _holds_work(run):
                shutil.rmtree(run)  # nothing in it but the mistake
            raise


def _check_same(written, settings, option):
    """Refuses a folder of other settings, or none of a run's."""
    from tf_distill.checkpoints.json_file import read_json

    run = written.parent
    other = read_json(written) if written.exists() else None
    if other is None and not (run.is_dir() and _holds_work(run)):
        return
    if other is None or "recipe" not in other:  # a model's, perhaps
        raise ValueError(
            f"{run} is no run folder of a recipe, but holds files. Choose "
            f"another with {option}, which need not exist."
        )
    names = [*settings, *(set(other) - set(settings))]
    names = [n for n in names if settings.get(n) != other.get(n)]
    if "sha256" in names:  # files that changed, or others in their place
        names.remove("sha256")
        ours, theirs = (x.get("sha256", {}) for x in (settings, other))
        names += [
            f"content of --{name.replace('_', '-')}"
            for name in sorted({*ours, *theirs} - {*names})
            if ours.get(name) != theirs.get(name)
        ]
    if names:
        raise ValueError(
            f"{written} was made with another {', '.join(names)}. Choose "
            f"another folder with {option}, or delete {run}."
        )


def _holds_work(run):
    """Whether a folder has more than what a run begins with."""
    begins_with = {".lock", ".config.json.partial", "config.json"}
    begins_with |= {".precision.txt.partial", "precision.txt", "stages"}
    names = {path.name for path in run.iterdir()}
    return not names <= begins_with or any(run.glob("stages/*/*/*.npz"))


def precision(run):
    """The dtype policy that is faster here; measured once a run."""
    import tf_distill as td

    record = pathlib.Path(run, "precision.txt")
    if not record.exists():
        fast = td.benchmark.has_fast_bfloat16()
        partial = record.with_name(".precision.txt.partial")
        partial.write_text("mixed_bfloat16" if fast else "float32")
        partial.replace(record)
    return record.read_text()


def begin(seed, dtype):
    """Sets the seed and the precision of everything that follows."""
    import keras

    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(dtype)


def callbacks(run, name, score=None):
    """What a stage's `fit` gets beside its progress line.

    Args:
        run: the run folder.
        name: the model's.
        score: function without arguments that returns a dict of scores, to be
            called after every epoch; their names are logged with "val_".

    Returns:
        list of callbacks, the score's first: those after it see what it adds.
    """
    import keras

    def add_scores(epoch, logs):
        for key, value in score().items():
            logs[f"val_{key}"] = value

    made = []
    if score is not None:
        made.append(keras.callbacks.LambdaCallback(on_epoch_end=add_scores))
    folder = pathlib.Path(run, "tensorboard", name)
    return [*made, keras.callbacks.TensorBoard(folder, write_graph=False)]


def train(run, name, stages, *, seed, settings):
    """Trains the stages of a model, or goes on, or finds them trained.

    Args:
        run: the run folder; the stages are kept in run/stages/<name>.
        name: the model's.
        stages: list of `tf_distill.Stage`.
        seed: int.
        settings: dict of what must not change, such as a teacher's digest.
    """
    import tf_distill as td

    folder = pathlib.Path(run, "stages", name)
    td.run_stages(stages, folder, seed=seed, settings=settings)
