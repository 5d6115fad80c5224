"""Writes a stage's checkpoints while `fit` runs."""

import math
import time

import keras
import numpy as np
from keras import ops

from tf_distill.distillation.monitor import best_epoch, lowest_is_best
from tf_distill.distillation.training_state import set_state, state_of


class StageRecorder(keras.callbacks.Callback):
    """Knows where a stage stands, and writes it down.

    Args:
        place: `StageFolder` to write to.
        stage: `Stage` that is trained.
        trained: its compiled model.
        every_steps, every_minutes: as for `run_stages`.

    Attributes:
        epoch, step: how many epochs, and steps of the next one, are done.
        history: list of the logs of every epoch.
        stopped: bool, whether a callback ended the training early.

    Raises:
        ValueError: nobody knows when what the stage monitors is best.
    """

    def __init__(self, place, stage, trained, every_steps, every_minutes):
        super().__init__()
        self.epoch = self.step = 0
        self.history = []
        self.stopped = False
        self._place = place
        self._stage = stage
        self._lowest = stage.monitor is not None and lowest_is_best(
            trained, stage.monitor, stage.mode
        )
        self._every_steps = every_steps or math.inf
        self._every_seconds = 60 * (every_minutes or math.inf)
        self._metrics = None

    @property
    def header(self):
        """Where the stage stands, for a checkpoint."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "history": self.history,
            "stopped": self.stopped,
        }

    @property
    def best_epoch(self):
        """At the end of which epoch the weights were best, or None."""
        return best_epoch(self.history, self._stage.monitor, self._lowest)

    def goes_on(self, header, state):
        """Takes over where a checkpoint stands."""
        self.epoch, self.step = header["epoch"], header["step"]
        self.history = header["history"]
        self.stopped = header["stopped"]
        self._metrics = state if self.step else None

    def build_metrics(self, model, data):
        """Makes the compiled metrics' variables, if they are there only later.

        On TensorFlow Keras makes them in the first step; the running metrics
        of an interrupted epoch are to be put back before it.
        """
        wanted = sum(name.startswith("metrics/") for name in self._metrics)
        if len(model.metrics_variables) < wanted:
            model.test_on_batch(*data[0])

    def on_train_begin(self, logs=None):
        self._first = self.step
        self._written = self.step, time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        if self._metrics is not None:  # Keras has just reset them
            set_state(self.model, self._metrics, ["metrics"])
            self._metrics = None

    def on_train_batch_end(self, batch, logs=None):
        total = self._first + (self.params["steps"] or math.inf)
        self.step = min(self._first + batch + 1, total)
        if self.step == total or not self._stage.resumes_within_epochs:
            return  # the end of the epoch is written; nowhere else to go on
        step, seconds = self._written
        if (
            self.step - step >= self._every_steps
            or time.monotonic() - seconds >= self._every_seconds
        ):
            self._write(logs)

    def on_epoch_end(self, epoch, logs=None):
        if self._stage.monitor not in (None, *logs) and self._validates(logs):
            raise ValueError(
                f"Stage {self._stage.name!r} has the `monitor` "
                f"{self._stage.monitor!r}, but the logs have {sorted(logs)}."
            )
        self._first = self.step = 0
        self.epoch = epoch + 1
        self.history.append(
            {n: np.asarray(x).tolist() for n, x in logs.items()}
        )
        self.stopped = bool(self.model.stop_training)
        self._write(logs)
        self._place.write_history(self.history)

    def _validates(self, logs):
        """Whether this is no epoch that `validation_freq` leaves out."""
        every = self._stage.fit.get("validation_freq", 1) == 1
        return every or any(name.startswith("val_") for name in logs)

    def _write(self, logs):
        self._check_finite(logs)
        self._place.write(state_of(self.model), self.header, self.best_epoch)
        self._written = self.step, time.monotonic()

    def _check_finite(self, logs):
        """Raises before numbers that are none would be kept."""
        broken = [
            variable.path
            for variable in self.model.trainable_variables
            if not np.isfinite(ops.convert_to_numpy(variable)).all()
        ]
        loss = (logs or {}).get("loss", 0.0)
        if broken or not np.isfinite(loss):
            what = (
                f"the weights {broken[:3]}" if broken else f"the loss ({loss})"
            )
            raise ValueError(
                f"Stage {self._stage.name!r}, epoch {self.epoch + 1}: since "
                f"the last checkpoint {what} became infinite or no number. "
                "Nothing was written of it. Lower the learning rate, and begin "
                "the stage anew."
            )
