"""How far a training is, over all its epochs, and how long it takes yet."""

import sys
import time

import keras

_WIDTH = 20


class Progress(keras.callbacks.Callback):
    """One line over all epochs of a `fit`; Keras' own bar starts every epoch.

    On a terminal the line is a bar that is written over; elsewhere a line
    comes now and then. Every epoch ends with its metrics. Call `fit` with
    `verbose=0` beside it.

    Args:
        name: what is trained, at the beginning of every line.
        first_step: int, how many steps were done before this `fit`.
        total_steps, total_epochs: int, how many there are in all; by default
            those of this `fit`.
        every_seconds: float, between two lines where there is no terminal.
        file: where to write, by default the standard output.

    Example:
        >>> import keras, numpy as np
        >>> from tf_distill.distillation import Progress
        >>> x = keras.Input((2,))
        >>> model = keras.Model(x, keras.layers.Dense(1)(x))
        >>> model.compile("sgd", "mse", jit_compile=False)
        >>> _ = model.fit(np.zeros((8, 2)), np.zeros(8), batch_size=4,
        ...               callbacks=[Progress("line")], verbose=0)
        line: epoch 1/1, step 2/2, loss 0.0000
    """

    def __init__(
        self,
        name="",
        *,
        first_step=0,
        total_steps=None,
        total_epochs=None,
        every_seconds=60.0,
        file=None,
    ):
        super().__init__()
        self.name = name
        self.total_steps = total_steps
        self.total_epochs = total_epochs
        self.every_seconds = every_seconds
        self.file = file
        self.step = first_step
        self._since = None  # step and time of the first step's end
        self._written = 0.0

    def on_train_begin(self, logs=None):
        self._steps = self.params["steps"]
        if self.total_epochs is None:
            self.total_epochs = self.params["epochs"]
        if self.total_steps is None and self._steps:
            self.total_steps = self.total_epochs * self._steps
        self._written = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._epoch_start = epoch, self.step

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1  # several steps may run at once, past the last one
        done = min(done, self._steps) if self._steps else done
        self.step = self._epoch_start + done
        now = time.monotonic()
        if self._since is None:  # the first step compiles: it does not count
            self._since = self.step, now
        terminal = self._file().isatty()
        if now - self._written >= (0.2 if terminal else self.every_seconds):
            self._written = now
            line = self._line(logs, now)
            if terminal:
                self._write(f"\r{self._bar()}{line}\033[K")
            else:
                self._write(f"{line}\n")

    def on_test_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if self._file().isatty() and now - self._written >= 0.2:
            self._written = now
            line = f"{self._where()}, validation step {batch + 1}"
            self._write(f"\r{self._bar()}{line}\033[K")

    def on_epoch_end(self, epoch, logs=None):
        metrics = [f"{name} {_number(x)}" for name, x in (logs or {}).items()]
        line = ", ".join([self._where(), *metrics])
        self._write(
            f"\r{line}\033[K\n" if self._file().isatty() else f"{line}\n"
        )

    def _where(self):
        of = f"/{self.total_steps}" if self.total_steps else ""
        name = f"{self.name}: " if self.name else ""
        return (
            f"{name}epoch {self._epoch + 1}/{self.total_epochs}, "
            f"step {self.step}{of}"
        )

    def _bar(self):
        if not self.total_steps:
            return ""
        full = _WIDTH * self.step // self.total_steps
        return f"[{'#' * full}{'.' * (_WIDTH - full)}] "

    def _line(self, logs, now):
        parts = [self._where()]
        if logs and "loss" in logs:
            parts.append(f"loss {_number(logs['loss'])}")
        first, began = self._since
        if self.total_steps and self.step > first:
            pace = (now - began) / (self.step - first)
            left = (self.total_steps - self.step) * pace
            parts.append(f"{_duration(left)} left")
        return ", ".join(parts)

    def _file(self):
        return self.file or sys.stdout

    def _write(self, text):
        self._file().write(text)
        self._file().flush()


def _number(value):
    try:
        return f"{float(value):.4f}"
    except (TypeError, ValueError):
        return str(value)  # a metric that is an array


def _duration(seconds):
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{round(seconds)} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
