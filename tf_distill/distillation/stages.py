"""Trains a list of stages in order, and goes on exactly after any interruption.

What is written is the training state of what is trained: student, projections,
optimizer, dropout's seeds, running metrics, and the position in the data.
Teachers are not part of it.
"""

import contextlib
import pathlib
import zlib

import keras

from tf_distill.distillation.distribution import build_optimizer
from tf_distill.distillation.progress import Progress
from tf_distill.distillation.stage_folder import StageFolder
from tf_distill.distillation.stage_recorder import StageRecorder
from tf_distill.distillation.stage_settings import settings_of
from tf_distill.distillation.training_state import set_state, state_of


def run_stages(
    stages,
    folder,
    *,
    seed=0,
    settings=None,
    every_steps=None,
    every_minutes=10.0,
    keep=2,
):
    """Trains stages in order; the same call again goes on where it stopped.

    A checkpoint is written at the end of every epoch and, where the stage's
    data can start within one, every so many steps or minutes. Killed at any
    moment, the run goes on from the newest whole checkpoint: on TensorFlow on
    a processor, in float32, to the very weights of a run without interruption.
    A stage that is finished is built and given its weights, not trained.

    Args:
        stages: list of `Stage`.
        folder: where the run is written; one folder for each run.
        seed: int; sets Keras' global seed before each stage is built.
        settings: dict of whatever else must not change within a run.
        every_steps: int, or None for no limit of steps between checkpoints.
        every_minutes: float, or None for no limit of time between them.
        keep: int, how many of a running stage's newest checkpoints to keep;
            the best on `monitor` is kept besides. A finished stage keeps its
            resulting weights only.

    Returns:
        dict of each stage's history: a dict of lists, one value an epoch.

    Raises:
        ValueError: the folder's run has other stages or settings (says which),
            a model is not compiled, or a loss or weight is no longer finite.
        OSError: a checkpoint could not be written; those before are whole.

    Example:
        >>> import keras, numpy as np, tempfile, tf_distill as td
        >>> x = keras.Input((2,))
        >>> student = keras.Model(x, keras.layers.Dense(1)(x))
        >>> def fine_tuning():
        ...     student.compile("sgd", "mse", jit_compile=False)
        ...     return student
        >>> stage = td.Stage(
        ...     "fine-tuning", fine_tuning, np.zeros((8, 2)), epochs=1,
        ...     y=np.zeros(8), batch_size=4)
        >>> folder = tempfile.mkdtemp()
        >>> history = td.run_stages([stage], folder)
        fine-tuning: an interrupted epoch would begin anew, ...
        fine-tuning: epoch 1/1, step 2/2, loss ...
        >>> again = td.run_stages([stage], folder)
        fine-tuning: trained already.
        >>> again == history
        True
    """
    folder = pathlib.Path(folder)
    folders = _stage_folders(stages, folder)
    histories, before = {}, None
    with _locked(folder):
        for stage, path in zip(stages, folders, strict=True):
            place = StageFolder(path, keep)
            own_seed = zlib.crc32(f"{seed}/{stage.name}".encode())
            keras.utils.set_random_seed(own_seed)
            if stage.resumes_within_epochs:
                stage.data.start_at(0, 0)  # a stage before may have used it
            model = _built(stage)
            place.settings = settings_of(
                model,
                stage.data,
                seed=seed,
                settings=settings or {},
                epochs=stage.epochs,
                fit=stage.fit,
                monitor=stage.monitor,
                mode=stage.mode,
                weights_of_the_stage_before=before,
            )
            if place.is_finished:
                say(f"{stage.name}: trained already.")
                state, header = place.read_result()
                set_state(model, state, ["model"])
            else:
                recorder = StageRecorder(
                    place, stage, model, every_steps, every_minutes
                )
                header = _train(stage, model, place, recorder)
            before = header["checksum"]
            histories[stage.name] = _by_metric(header["history"])
    return histories


def say(text):
    """Tells the user, at once."""
    print(text, flush=True)


def _train(stage, model, place, recorder):
    """Trains a stage from where it stands to its end."""
    if not stage.resumes_within_epochs:
        say(
            f"{stage.name}: an interrupted epoch would begin anew, as this "
            "data has no `start_at(epoch, step)`."
        )
    found = place.read_newest()
    if found is None:
        # Even a run killed before its first step begins again as it began.
        place.write(state_of(model), recorder.header)
    else:
        say(
            f"{stage.name}: goes on in epoch {found[1]['epoch'] + 1} after "
            f"step {found[1]['step']}."
        )
        set_state(model, found[0], ["model", "optimizer"])
        recorder.goes_on(found[1], found[0])
    while recorder.epoch < stage.epochs and not recorder.stopped:
        _fit(stage, model, recorder)
        if recorder.epoch < stage.epochs and not recorder.stopped:
            # Only the rest of an epoch was trained. `fit` may have put moving
            # averages in the weights' place, as it does at its end.
            set_state(model, place.read_newest()[0], ["model", "optimizer"])
    # What `fit` does at its end, if the run was killed just before it.
    model.optimizer.finalize_variable_values(model.trainable_variables)
    history = recorder.history
    if recorder.best_epoch is not None:
        best = place.read_epoch(recorder.best_epoch)
        if best is not None:
            set_state(model, best[0], ["model"])
    return place.finish(state_of(model, ["model"]), history)


def _fit(stage, model, recorder):
    """Trains the rest of an epoch, or all epochs that are left."""
    epoch, step = recorder.epoch, recorder.step
    fit = dict(stage.fit)
    total = _steps_of_an_epoch(stage)
    progress = Progress(
        stage.name,
        first_step=epoch * total + step if total else 0,
        total_steps=stage.epochs * total if total else None,
        total_epochs=stage.epochs,
    )
    if stage.resumes_within_epochs:
        stage.data.start_at(epoch, step)
        if step:
            recorder.build_metrics(model, stage.data)
    callbacks = fit.pop("callbacks", None) or []
    if not isinstance(callbacks, (list, tuple)):
        callbacks = [callbacks]
    shown = [] if fit.setdefault("verbose", 0) else [progress]
    model.fit(
        stage.data,
        initial_epoch=epoch,
        epochs=epoch + 1 if step else stage.epochs,
        callbacks=[*callbacks, *shown, recorder],  # after what changes weights
        **fit,
    )


def _steps_of_an_epoch(stage):
    """An int, or None where only Keras will know."""
    if stage.resumes_within_epochs:
        stage.data.start_at(0, 0)
        return len(stage.data)
    return stage.fit.get("steps_per_epoch")


def _built(stage):
    model = stage.build()
    if not isinstance(model, keras.Model) or not model.compiled:
        raise ValueError(
            f"The `build` of stage {stage.name!r} returned {model!r}, but must "
            "return a compiled `keras.Model`."
        )
    if not model.built:
        raise ValueError(
            f"The model of stage {stage.name!r} has no weights yet: call it on "
            "a batch, or make it a functional model, in its `build`."
        )
    build_optimizer(model)
    return model


def _stage_folders(stages, folder):
    """The folder of each stage.

    Raises:
        ValueError: no stages, two of one name, or the run has others.
    """
    names = [stage.name for stage in stages]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"`stages` are named {names}: give one at least, and each a name "
            "of its own."
        )
    expected = [f"{i:02d}-{name}" for i, name in enumerate(names, start=1)]
    there = sorted(path.name for path in folder.glob("[0-9][0-9]-*"))
    others = [name for name in there if name not in expected]
    if others:
        raise ValueError(
            f"{folder} has the stages {there}, but the run is to have "
            f"{expected}. Run with the stages of then, or in another folder, "
            "or delete this one to begin anew."
        )
    return [folder / name for name in expected]


def _by_metric(history):
    names = dict.fromkeys(name for logs in history for name in logs)
    return {n: [logs[n] for logs in history if n in logs] for n in names}


@contextlib.contextmanager
def _locked(folder):
    """Keeps a second process out of a run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # Windows has no such locks
        except OSError:
            raise ValueError(
                f"{folder} is in use by another process: wait for it, or run "
                "in another folder."
            ) from None
        yield
