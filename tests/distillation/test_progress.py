import io

import keras
import numpy as np
import pytest

from tf_distill.distillation import Progress, progress


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def epoch(callback, clock, number, steps, seconds, at_once=1):
    callback.on_epoch_begin(number)
    for batch in range(0, steps, at_once):
        clock.now += seconds * at_once
        callback.on_train_batch_end(batch + at_once - 1, {"loss": 0.5})
    callback.on_epoch_end(number, {"loss": 0.25, "val_f1": 0.75})


def test_a_line_every_so_often_in_a_log(clock):
    file = io.StringIO()
    made = Progress("half", every_seconds=30, file=file)
    made.set_params({"epochs": 2, "steps": 4})
    made.on_train_begin()
    epoch(made, clock, 0, 4, 20.0)
    epoch(made, clock, 1, 4, 20.0)
    # The first step compiles: its time says nothing about the next ones'.
    assert file.getvalue().splitlines() == [
        "half: epoch 1/2, step 2/8, loss 0.5000, 2 min left",
        "half: epoch 1/2, step 4/8, loss 0.5000, 1 min left",
        "half: epoch 1/2, step 4/8, loss 0.2500, val_f1 0.7500",
        "half: epoch 2/2, step 6/8, loss 0.5000, 40 s left",
        "half: epoch 2/2, step 8/8, loss 0.5000, 0 s left",
        "half: epoch 2/2, step 8/8, loss 0.2500, val_f1 0.7500",
    ]


def test_a_bar_on_a_terminal(clock):
    file = Terminal()
    made = Progress(file=file)
    made.set_params({"epochs": 1, "steps": 4})
    made.on_train_begin()
    epoch(made, clock, 0, 4, 0.15)
    lines = file.getvalue().split("\r")
    assert lines[1].startswith("[##########..........] epoch 1/1, step 2/4")
    assert lines[-1] == (
        "epoch 1/1, step 4/4, loss 0.2500, val_f1 0.7500\033[K\n"
    )
    # A bar is written over; only the epoch's end stays.
    assert "".join(lines[:-1]).count("\n") == 0


def test_validation_shows_on_a_terminal_alone(clock):
    for file in (Terminal(), io.StringIO()):
        made = Progress("half", file=file)
        made.set_params({"epochs": 1, "steps": 1})
        made.on_train_begin()
        made.on_epoch_begin(0)
        made.on_train_batch_end(0, {"loss": 0.5})
        shown = len(file.getvalue())
        clock.now += 1
        made.on_test_batch_end(4)
        line = "] half: epoch 1/1, step 1/1, validation step 5\033[K"
        assert file.getvalue()[shown:].endswith(line if file.isatty() else "")
        assert (len(file.getvalue()) > shown) is file.isatty()


def test_goes_on_within_the_whole(clock):
    """As after an interruption: the rest of an epoch, of more in all."""
    file = io.StringIO()
    made = Progress(
        first_step=6, total_steps=12, total_epochs=3, every_seconds=1, file=file
    )
    made.set_params({"epochs": 2, "steps": 2})
    made.on_train_begin()
    epoch(made, clock, 1, 2, 3600.0)
    lines = file.getvalue().splitlines()
    assert lines[1] == "epoch 2/3, step 8/12, loss 0.5000, 4 h 00 min left"
    assert lines[2].startswith("epoch 2/3, step 8/12, loss 0.2500")


def test_several_steps_at_once_stop_at_the_last(clock):
    file = io.StringIO()
    made = Progress(file=file)
    made.set_params({"epochs": 1, "steps": 5})
    made.on_train_begin()
    epoch(made, clock, 0, 5, 1.0, at_once=4)
    assert "step 5/5" in file.getvalue()


def test_data_of_unknown_length(clock):
    file = Terminal()
    made = Progress(file=file)
    made.set_params({"epochs": 2, "steps": None})
    made.on_train_begin()
    epoch(made, clock, 0, 3, 1.0)
    made.set_params({"epochs": 2, "steps": 3})
    epoch(made, clock, 1, 3, 1.0)
    ends = [x for x in file.getvalue().split("\r") if x.endswith("\n")]
    assert [x.split(",")[1] for x in ends] == [" step 3", " step 6"]
    assert "left" not in file.getvalue()


def test_within_fit(capsys):
    x = keras.Input((2,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse", jit_compile=False, steps_per_execution=2)
    made = Progress("fit", every_seconds=0)
    model.fit(
        np.zeros((10, 2)),
        np.zeros(10),
        batch_size=2,
        epochs=2,
        callbacks=[made],
        verbose=0,
    )
    lines = capsys.readouterr().out.splitlines()
    steps = [line.split(",")[1] for line in lines]
    assert steps == [f" step {n}/10" for n in (2, 4, 5, 5, 7, 9, 10, 10)]
