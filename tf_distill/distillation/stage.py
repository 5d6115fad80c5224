"""One step of a training that has several."""

import inspect
import re

import keras

_SET_HERE = ("x", "epochs", "initial_epoch")


class Stage:
    """What to train, on what, for how long.

    Args:
        name: of the stage and its folder: letters, digits, `-`, `_` and `.`.
        build: function without arguments that returns a compiled
            `keras.Model`: a `Distiller`, or any other. Called when the stages
            before have their final weights, so that it can begin with them.
        data: what `fit` takes as `x`. Where it has a method
            `start_at(epoch, step)`, as `BucketedBatches` has, an interrupted
            run goes on at the very step; any other restarts its epoch.
        epochs: int.
        monitor: name of a metric in the logs, such as `"val_accuracy"`; the
            weights of the epoch where it was best are then the stage's result.
            By default the last weights are.
        mode: `"min"` or `"max"`, where it is best; None for where a loss, an
            error or Keras' metric of that name is.
        **fit: any other argument of `fit`: `validation_data`, `callbacks`,
            `class_weight`. Callbacks begin anew after an interruption.

    Raises:
        ValueError: a name or an argument that cannot be.

    Example: see `run_stages`.
    """

    def __init__(
        self, name, build, data, epochs, *, monitor=None, mode=None, **fit
    ):
        if not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(
                f"A stage cannot be named {name!r}, which is to be a folder: "
                "use letters, digits, '-', '_' and '.'."
            )
        if not callable(build) or isinstance(build, keras.Model):
            raise ValueError(
                f"Stage {name!r}: `build` is {build!r}, but must be a function "
                "without arguments that returns a compiled model."
            )
        if mode not in (None, "min", "max"):
            raise ValueError(
                f"Stage {name!r} got mode={mode!r}, but a metric is best at "
                "its 'min' or its 'max'."
            )
        refused = [key for key in _SET_HERE if key in fit]
        if refused:
            raise ValueError(
                f"Stage {name!r} got {', '.join(refused)}, which are set by "
                "`run_stages` from `data` and `epochs`: leave them out."
            )
        every = fit.get("validation_freq", 1)
        if monitor and isinstance(every, int) and every > epochs:
            raise ValueError(
                f"Stage {name!r} has a `monitor`, but a `validation_freq` of "
                f"{every} with {epochs} epochs: none of them is validated."
            )
        known = inspect.signature(keras.Model.fit).parameters
        unknown = [key for key in fit if key not in known]
        if unknown:
            raise ValueError(
                f"Stage {name!r} got {', '.join(unknown)}, which `fit` does "
                f"not take; it takes {', '.join(list(known)[1:])}."
            )
        self.name = name
        self.build = build
        self.data = data
        self.epochs = epochs
        self.monitor = monitor
        self.mode = mode
        self.fit = fit
        if self.resumes_within_epochs:
            if fit.get("shuffle") or "steps_per_epoch" in fit:
                raise ValueError(
                    f"Stage {name!r}: its data has an order and a length of "
                    "its own: leave out `shuffle` and `steps_per_epoch`."
                )
            fit["shuffle"] = False

    @property
    def resumes_within_epochs(self):
        """Whether the data can start at any step of an epoch."""
        return hasattr(self.data, "start_at")
