"""What the runner keeps, refuses and says; small models without an encoder.

Steps run eagerly but where a test is about graphs, whose tracing takes longer
than all these steps. That killed processes go on exactly is in test_kills.py.
"""

import errno
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import stage_run
import tiny

import tf_distill as td
from tf_distill.distillation import training_state

ROWS = np.random.default_rng(0).normal(size=(3, 5, 4, 3)).astype("float32")


class Steps(keras.utils.PyDataset):
    """Five batches an epoch, another five in each of three epochs."""

    settings = {"of": "Steps"}

    def __init__(self):
        super().__init__()
        self.start_at(0)

    def start_at(self, epoch, step=0):
        self.epoch, self.first, self.begun = epoch, step, False

    def __len__(self):
        return 5 - self.first

    def __getitem__(self, index):
        x = ROWS[self.epoch % 3, self.first + index]
        return x, x.sum(axis=1)

    def on_epoch_begin(self):
        self.begun = True

    def on_epoch_end(self):
        if self.begun:
            self.start_at(self.epoch + 1)


class Plain(keras.utils.PyDataset):
    """The same, as a user writes it: it cannot start at a step."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return ROWS[0, index], ROWS[0, index].sum(axis=1)


class Interrupt(keras.callbacks.Callback):
    """Stops a process's training dead, after so many steps of its own."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def network(seed=0):
    x = keras.Input((3,))
    h = keras.layers.Dropout(0.5, seed=seed)(keras.layers.Dense(6)(x))
    return tiny.randomize(keras.Model(x, keras.layers.Dense(1)(h)), seed)


def stages(
    callbacks=(),
    data=None,
    epochs=3,
    rate=0.05,
    name="first",
    model=None,
    graph=False,
    **fit,
):
    """Two stages of one network, the second of which always is the same."""
    model = model or network()
    compiling = {"jit_compile": False} if graph else {"run_eagerly": True}

    def build(optimizer):
        def build():
            model.compile(optimizer, "mse", metrics=["mae"], **compiling)
            return model

        return build

    own = [*callbacks]
    schedule = keras.optimizers.schedules.InverseTimeDecay(rate, 4, 1.0)
    return model, [
        td.Stage(
            name,
            build(keras.optimizers.AdamW(schedule)),
            Steps() if data is None else data,
            epochs,
            callbacks=own,
            **fit,
        ),
        td.Stage(
            "second",
            build(keras.optimizers.SGD(0.01, momentum=0.9)),
            Steps(),
            2,
        ),
    ]


def run(folder, *args, every_steps=2, seed=0, settings=None, keep=2, **kwargs):
    model, made = stages(*args, **kwargs)
    history = td.run_stages(
        made,
        folder,
        every_steps=every_steps,
        seed=seed,
        settings=settings,
        keep=keep,
    )
    return tiny.weights_of(model), history


def interrupted(folder, after, **kwargs):
    with pytest.raises(KeyboardInterrupt):
        run(folder, [Interrupt(after)], **kwargs)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Weights and history of a run that nothing interrupts."""
    keras.utils.set_random_seed(0)
    return run(tmp_path_factory.mktemp("whole") / "run")


def assert_same_run(found, expected):
    tiny.assert_same_weights(expected[0], found[0])
    assert found[1] == expected[1]


# Going on


@pytest.mark.parametrize("after", [1, 4, 6, 15])
def test_goes_on_at_the_very_step(tmp_path, whole, after):
    interrupted(tmp_path, after)
    # Other random numbers, as in a process that did other things before.
    keras.utils.set_random_seed(99)
    assert_same_run(run(tmp_path, model=network(seed=5)), whole)


def test_goes_on_at_the_very_step_of_a_graph(tmp_path):
    expected = run(tmp_path / "whole", graph=True)
    interrupted(tmp_path / "run", 6, graph=True)
    keras.utils.set_random_seed(99)
    found = run(tmp_path / "run", model=network(seed=5), graph=True)
    assert_same_run(found, expected)


def test_goes_on_after_many_interruptions(tmp_path, whole):
    for _ in range(4):
        interrupted(tmp_path, 3)
    assert_same_run(run(tmp_path), whole)


def test_a_finished_stage_is_not_trained_again(tmp_path, whole, capsys):
    run(tmp_path)
    capsys.readouterr()
    # Would stop at the first step that is trained.
    assert_same_run(run(tmp_path, [Interrupt(1)], model=network(3)), whole)
    assert capsys.readouterr().out.splitlines() == [
        "first: trained already.",
        "second: trained already.",
    ]


def test_a_later_stage_begins_with_the_weights_of_the_one_before(tmp_path):
    seen = []
    model, made = stages()
    build = made[1].build

    def noting():
        seen.append(tiny.weights_of(model))
        return build()

    made[1].build = noting
    td.run_stages(made, tmp_path)
    with np.load(tmp_path / "01-first" / "finished.npz") as file:
        kept = [file[name] for name in sorted(file.files) if name != "header"]
    seeds = [value for value in kept if value.dtype.kind != "f"]
    assert len(seeds) == 1
    tiny.assert_same_weights([x for x in kept if x.dtype.kind == "f"], seen[0])


def test_other_data_restarts_its_epoch_and_says_so(tmp_path, capsys):
    expected = run(tmp_path / "whole", data=Plain(), shuffle=False)
    interrupted(tmp_path / "run", 8, data=Plain(), shuffle=False)
    names = os.listdir(tmp_path / "run" / "01-first")
    assert not [n for n in names if "step" in n and "000000.npz" not in n]
    capsys.readouterr()
    found = run(tmp_path / "run", data=Plain(), shuffle=False)
    lines = capsys.readouterr().out.splitlines()
    assert "an interrupted epoch would begin anew" in lines[0]
    assert lines[1] == "first: goes on in epoch 2 after step 0."
    # Its epochs are all alike, so that these weights can be compared at all.
    assert_same_run(found, expected)


def test_seeds_of_the_run_and_of_its_stages(tmp_path):
    drawn = []

    def noting(seed):
        _, made = stages()
        for stage in made:
            build = stage.build
            stage.build = lambda build=build: (
                drawn.append(float(keras.random.uniform(()))),
                build(),
            )[1]
        td.run_stages(made, tmp_path / str(seed), seed=seed)

    noting(0)
    noting(1)
    noting(0)  # finished: built once more, with the same numbers
    assert len(set(drawn[:4])) == 4
    assert drawn[4:] == drawn[:2]


# What is kept


def test_keeps_the_newest_and_the_best(tmp_path):
    def files():
        return sorted(p.name for p in (tmp_path / "01-first").glob("epoch*"))

    seen = []
    values = iter([3.0, 1.0, 2.0, 5.0, 4.0])

    class Worse(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(files())

        def on_epoch_end(self, epoch, logs=None):
            logs["val_error"] = next(values)
            if epoch == 1:
                self.best = tiny.weights_of(self.model)

    worse = Worse()
    model, made = stages([worse], epochs=5, monitor="val_error")
    td.run_stages(made[:1], tmp_path, every_steps=2, keep=2)
    name = "epoch-{:06d}-step-{:09d}.npz".format
    assert seen == [
        [name(0, 0)],
        [name(0, 4), name(1, 0)],
        [name(1, 4), name(2, 0)],
        [name(2, 0), name(2, 4), name(3, 0)],
        [name(2, 0), name(3, 4), name(4, 0)],
    ]
    assert files() == []
    tiny.assert_same_weights(worse.best, tiny.weights_of(model))


def test_unknown_monitor(tmp_path):
    with pytest.raises(
        ValueError, match=r"'val_f1', but the logs have \['loss"
    ):
        run(tmp_path, monitor="val_f1", mode="max")


def test_history_is_whole_and_on_disk(tmp_path, whole):
    interrupted(tmp_path, 12)
    _, history = run(tmp_path)
    assert set(history["first"]) == {"loss", "mae"}
    assert [len(x) for x in history["first"].values()] == [3, 3]
    rows = (tmp_path / "01-first" / "history.csv").read_text().split()
    assert rows[0] == "epoch,loss,mae" or rows[0] == "epoch,mae,loss"
    assert [row.split(",")[0] for row in rows[1:]] == ["0", "1", "2"]


def test_a_callback_may_end_a_stage(tmp_path, whole):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    _, history = run(tmp_path / "whole", [Stop()])
    assert [len(h["loss"]) for h in history.values()] == [2, 2]
    # In an epoch that was interrupted, too.
    interrupted(tmp_path / "run", 7)
    _, again = run(tmp_path / "run", [Stop()])
    assert again == history


def test_moving_averages_are_used_at_the_end_only(tmp_path):
    def go(folder, *callbacks):
        model, made = stages()
        built = made[0].build

        def build():
            built()
            model.compile(
                keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9),
                "mse",
                run_eagerly=True,
            )
            return model

        stage = td.Stage("only", build, Steps(), 3, callbacks=[*callbacks])
        td.run_stages([stage], folder, every_steps=2)
        return tiny.weights_of(model)

    expected = go(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run", Interrupt(7))
    tiny.assert_same_weights(expected, go(tmp_path / "run"))


def test_no_teacher_on_disk(tmp_path):
    student, teacher = stage_run.models()
    made = stage_run.stages(
        student, teacher, stage_run.data(), run_eagerly=True
    )[0]

    def find(path):
        with np.load(path) as file:
            return {name: file[name] for name in file.files}

    found = []

    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            path = sorted((tmp_path / "01-inner").glob("*.npz"))[-1]
            found.append(find(path))

    made.fit["callbacks"] = [Look()]
    made.epochs = 1
    td.run_stages([made], tmp_path)
    found.append(find(tmp_path / "01-inner" / "finished.npz"))
    projections = 2
    seeds = sum(np.issubdtype(w.dtype, np.integer) for w in found[1].values())
    for state in found:
        ours = [n for n in state if n.startswith("model/")]
        assert len(ours) - len(student.variables) == projections
        assert {n.split("/")[0] for n in state} <= {
            "header",
            "model",
            "optimizer",
            "metrics",
        }
    assert seeds >= 3  # dropout's, of the embeddings and twice of the block
    for weight in tiny.weights_of(teacher):
        assert not any(
            value.shape == weight.shape and (value == weight).all()
            for state in found
            for value in state.values()
        )
    # Three numbers a trained weight at most, one a frozen one.
    size = sum(value.nbytes for n, value in found[0].items() if n != "header")
    trained = sum(np.prod(w.shape) for w in student.weights) + 2 * 8 * 12
    assert size < 3 * 4 * trained + 1000


# Damage


def damage_by_cutting(path):
    os.truncate(path, path.stat().st_size // 2)


def damage_a_bit(path):
    content = bytearray(path.read_bytes())
    place = content.find(b"model/0000.npy") + 200
    content[place] ^= 4
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_by_cutting, damage_a_bit, empty])
def test_falls_back_past_a_damaged_checkpoint(tmp_path, whole, damage, capsys):
    interrupted(tmp_path, 10)
    names = sorted((tmp_path / "01-first").glob("epoch*"))
    assert len(names) == 2
    damage(names[-1])
    capsys.readouterr()
    with pytest.warns(UserWarning, match=f"damaged.*{names[-1].name}"):
        found = run(tmp_path)
    assert "goes on in epoch 2 after step 2." in capsys.readouterr().out
    assert_same_run(found, whole)


def test_begins_anew_where_all_is_damaged(tmp_path, whole):
    interrupted(tmp_path, 10)
    for path in (tmp_path / "01-first").glob("epoch*"):
        empty(path)
    with pytest.warns(UserWarning, match="damaged"):
        assert_same_run(run(tmp_path), whole)


def test_a_damaged_result_is_refused(tmp_path):
    run(tmp_path)
    damage_a_bit(tmp_path / "01-first" / "finished.npz")
    with pytest.raises(ValueError, match="finished stage is damaged.*finished"):
        run(tmp_path)


def test_a_full_disk_loses_nothing(tmp_path, whole, monkeypatch):
    interrupted(tmp_path, 7)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    real, room = os.fsync, [0]

    def full(descriptor):
        if room[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        room[0] -= 1
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match="could not be written: No space left.*make room"
    ) as error:
        run(tmp_path)
    assert error.value.errno == errno.ENOSPC
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before
    monkeypatch.undo()
    assert_same_run(run(tmp_path), whole)


def test_a_failed_renaming_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    training_state.write_state(path, {"x": np.ones(3)}, {"n": 1})

    def refuse(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="Input/output"):
        training_state.write_state(path, {"x": np.zeros(3)}, {"n": 2})
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["a.npz"]
    state, header = training_state.read_state(path)
    assert header == {"n": 1} and (state["x"] == 1).all()


def test_what_a_killed_process_left_half_written_is_removed(tmp_path, whole):
    interrupted(tmp_path, 7)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = socket.gethostname()
    left, alive = (
        tmp_path / "01-first" / f".epoch-0-step-4.npz.{number}-{host}.partial"
        for number in (ended.pid, os.getppid())
    )
    left.write_bytes(b"half")
    alive.write_bytes(b"what another process is at")
    assert_same_run(run(tmp_path), whole)
    assert alive.exists() and not left.exists()


def test_numbers_that_are_none_are_not_kept(tmp_path):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                weight = self.model.trainable_variables[0]
                weight.assign(np.full(weight.shape, np.nan))

    with pytest.raises(ValueError, match=r"'first', epoch 2.*weights \['dense"):
        run(tmp_path, [Explode()])
    state, header = training_state.read_state(
        max((tmp_path / "01-first").glob("epoch*"))
    )
    assert (header["epoch"], header["step"]) == (1, 0)
    assert all(np.isfinite(x).all() for x in state.values())


# Other settings


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"rate": 0.1}, r"initial_learning_rate was 0.05 and is 0.1"),
        ({"epochs": 4}, "epochs was 3 and is 4"),
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"settings": {"corpus": "b"}}, "settings.corpus was a and is b"),
        ({"data": Plain()}, "data.* was Steps and is not set"),
        ({"monitor": "loss"}, "monitor was None and is loss"),
        ({"monitor": "mae", "mode": "max"}, "mode was None and is max"),
        ({"class_weight": {0: 1, 1: 9}}, "fit.class_weight.1 was .* is 9"),
        ({"name": "other"}, r"stages \['01-first'\].*'01-other'"),
    ],
)
def test_other_settings_are_refused(tmp_path, change, expected):
    given = {"settings": {"corpus": "a"}}
    interrupted(tmp_path, 3, **given)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=expected):
        run(tmp_path, **{**given, **change})
    after = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before


def test_other_models_and_terms_are_refused_of_a_finished_stage(tmp_path):
    def distilled(units, weight):
        x = keras.Input((3,))
        student, teacher = (
            tiny.randomize(keras.Model(x, keras.layers.Dense(n)(y)), n)
            for n, y in ((2, keras.layers.Dense(units)(x)), (2, x))
        )

        def build():
            match = td.LogitMatch(td.losses.LogitMSE(), weight=weight)
            distiller = td.Distiller(student, teacher, [match])
            distiller.compile("sgd", run_eagerly=True)
            return distiller

        stage = td.Stage("only", build, Steps(), 1)
        return td.run_stages([stage], tmp_path)

    distilled(4, 1.0)
    with pytest.raises(ValueError, match="weight was 1.0 and is 2.0"):
        distilled(4, 2.0)
    with pytest.raises(ValueError, match=r"kernel \(3, 4\) .*kernel \(3, 5\)"):
        distilled(5, 1.0)


def test_a_stage_before_that_was_trained_otherwise(tmp_path):
    run(tmp_path)
    for path in (tmp_path / "01-first").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="weights_of_the_stage_before was"):
        run(tmp_path, rate=0.01)


# Bad arguments


def test_bad_stages(tmp_path):
    build, data = network, Steps()
    with pytest.raises(ValueError, match="'a/b', which is to be a folder"):
        td.Stage("a/b", build, data, 1)
    with pytest.raises(ValueError, match="must be a function"):
        td.Stage("a", network(), data, 1)
    with pytest.raises(ValueError, match="got initial_epoch"):
        td.Stage("a", build, data, 1, initial_epoch=2)
    with pytest.raises(ValueError, match="leave out `shuffle`"):
        td.Stage("a", build, data, 1, shuffle=True)
    with pytest.raises(ValueError, match="each a name of its own"):
        td.run_stages([td.Stage("a", build, data, 1)] * 2, tmp_path)
    with pytest.raises(ValueError, match="at least"):
        td.run_stages([], tmp_path)
    with pytest.raises(ValueError, match="must return a compiled"):
        td.run_stages([td.Stage("a", build, data, 1)], tmp_path)

    def unbuilt():
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    with pytest.raises(ValueError, match="has no weights yet"):
        td.run_stages([td.Stage("a", unbuilt, data, 1)], tmp_path)


def test_two_runs_in_one_folder(tmp_path):
    class Second(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            with pytest.raises(ValueError, match="in use by another process"):
                run(tmp_path)

    model, made = stages([Second()], epochs=1)
    td.run_stages(made[:1], tmp_path)
