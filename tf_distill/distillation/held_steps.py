"""Tells of a teacher's signals that are infinite or NaN, and from which step.

Letters: M matches.
"""

import keras
import numpy as np
from keras import ops, tree


class HeldSteps:
    """Which matches a teacher's signal made infinite or no number.

    From the step that finds one on, no step moves a weight or anything of the
    optimizer until `check` has raised: so nothing is lost, although compiled
    steps cannot raise. The variable is in no checkpoint and in no model's
    weights; the Distiller adds it to JAX's non-trainable ones.

    Args:
        names: list of str, `(M,)`, the matches'.

    Attributes:
        variable: `keras.Variable`, float32, `(M,)`, above 0 where it is so.

    Example:
        >>> from tf_distill.distillation.held_steps import HeldSteps
        >>> held = HeldSteps(["logits", "hidden_states"])
        >>> held.find([0.0, 1.0])
        >>> bool(held.now())
        True
    """

    def __init__(self, names):
        self._names = list(names)
        self.variable = keras.Variable(
            np.zeros(len(self._names)),
            dtype="float32",
            trainable=False,
            aggregation="sum",  # over replicas, of which one may have found it
            name="held",
        )

    def find(self, found):
        """Adds what a step has found.

        Args:
            found: float32, `(M,)`, 1 where a match's teacher is to blame.
        """
        self.variable.assign(ops.maximum(self.variable, found))

    def now(self):
        """Whether steps are held, a bool tensor."""
        return ops.any(ops.greater(self.variable, 0.0))

    def state(self, variables, before, after):
        """The state after a step on JAX, of which weights may be held.

        Args:
            variables: the non-trainable ones, `variable` among them.
            before, after: tuples of the values of the trainable, non-trainable,
                optimizer's and metrics' variables.
        """
        trainable, others, optimizer, metrics = after
        (index,) = (i for i, x in enumerate(variables) if x is self.variable)
        held = ops.any(ops.greater(others[index], 0.0))
        trainable, optimizer = tree.map_structure(
            lambda old, new: ops.where(held, old, new),
            [list(before[0]), list(before[2])],
            [list(trainable), list(optimizer)],
        )
        return trainable, others, optimizer, metrics

    def check(self):
        """Raises where steps are held, and lets the next ones go again.

        Raises:
            ValueError: names the matches.
        """
        found = ops.convert_to_numpy(self.variable) > 0
        if not found.any():
            return
        self.variable.assign(np.zeros(len(self._names)))
        names = [n for n, bad in zip(self._names, found, strict=True) if bad]
        raise ValueError(
            "The teacher's signal is infinite or NaN in a batch, where the "
            f"matches {names} compare it. The student has the weights from "
            "before that batch. Numbers too large for float16 become infinite: "
            "give the teacher `dtype='float32'` or 'mixed_bfloat16'. See also "
            "whether its weights have diverged, or the batch has a row without "
            "any token."
        )


class RaiseIfHeld(keras.callbacks.Callback):
    """Raises after the batch in which a model's step was held.

    Args:
        of: `HeldModel`.
    """

    # Raised some steps later then, which are held, too. On JAX, an epoch's
    # variables can be read by one thread only.
    async_safe = keras.config.backend() == "tensorflow"

    def __init__(self, of):
        super().__init__()
        self._of = of

    def on_train_batch_end(self, batch, logs=None):
        if all(np.all(np.isfinite(x)) for x in (logs or {}).values()):
            return  # a term would not be: the variable is not looked at
        # Keras on JAX keeps an epoch's values outside of the variables.
        sync = getattr(self._of, "jax_state_sync", None)
        if sync is not None:
            sync()
        self._of.held.check()

    def on_test_batch_end(self, batch, logs=None):
        self.on_train_batch_end(batch, logs)
