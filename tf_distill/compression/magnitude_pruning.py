"""Sets the smallest weights to zero, more and more of them, during `fit`.

Letters: K weights of a kernel.
"""

import keras
import numpy as np

from tf_distill.compression.tfmot import tensorflow_model_optimization

SCHEDULES = ("PolynomialDecay", "ConstantSparsity")


class MagnitudePruning(keras.callbacks.Callback):
    """Prunes the dense layers of a student by a schedule of TFMOT's.

    After a step at which the schedule prunes, every kernel keeps its greatest
    weights by magnitude, `round(K * (1 - sparsity))` of them; after every step
    what was pruned is zero again, so that the trained weights really are. The
    rest goes on learning. Embeddings, normalizations and biases are left
    alone.

    Under a `Distiller` it prunes the student. Steps are the optimizer's, so a
    training that is resumed goes on with the schedule, and with what is zero;
    in a `fit` after one without pruning, steps count on from there.

    Args:
        schedule: `tensorflow_model_optimization.sparsity.keras
            .PolynomialDecay(...)` or `ConstantSparsity(...)`, or a dict of
            their `get_config()`. Steps count from 0.
        exclude: names of dense layers that are left alone too, "logits" say,
            or of blocks, whose layers then are.

    Raises:
        ValueError: in `fit`: no such schedule, a name in `exclude` that no
            layer has, training that ends before the schedule prunes or begins
            after it has, or Keras does not run on TensorFlow.

    Example:
        >>> from tf_distill.compression import MagnitudePruning
        >>> pruning = MagnitudePruning({
        ...     "class_name": "ConstantSparsity",
        ...     "config": {"target_sparsity": 0.5, "begin_step": 0,
        ...                "frequency": 1}})

    Reference: Zhu & Gupta 2017; Gordon et al. 2020, "Compressing BERT".
    """

    def __init__(self, schedule, *, exclude=()):
        super().__init__()
        self.schedule = schedule
        self.exclude = tuple(exclude)
        self._masks = None

    def on_train_begin(self, logs=None):
        tfmot = tensorflow_model_optimization()
        self._schedule = _schedule(self.schedule, tfmot)
        student = getattr(self.model, "student", self.model)
        self._layers = prunable_layers(student, self.exclude)
        self._began = self._seen = self._step()
        self._masks = self._masks_of_before()

    def on_train_batch_end(self, batch, logs=None):
        step = self._step()
        # With `steps_per_execution` several steps end at once.
        for ended in range(self._seen, step):
            prune, sparsity = self._schedule(np.int64(ended))
            if prune:
                self._choose(float(sparsity))
        self._seen = step
        self._apply()

    def on_train_end(self, logs=None):
        if self._masks is None:
            raise ValueError(
                f"The training ended after {self._step()} steps, before the "
                f"schedule pruned anything: this `fit` began at {self._began}, "
                f"the schedule prunes from {self._schedule.begin_step} on "
                f"every {self._schedule.frequency} steps. Choose a "
                "`begin_step` and an `end_step` within the training."
            )
        self._apply()

    def _masks_of_before(self):
        """What is zero in a pruned training that is resumed; else None.

        Raises:
            ValueError: it is none, and all that the schedule prunes is over.
        """
        schedule, last = self._schedule, self._began - 1
        if schedule.end_step >= 0:
            last = min(last, schedule.end_step)
        if last < schedule.begin_step:
            return None
        # The last step at which it pruned, or would have.
        last -= (last - schedule.begin_step) % schedule.frequency
        sparsity = float(schedule(np.int64(last))[1])
        kernels = [np.asarray(layer.kernel) for layer in self._layers]
        if all(
            np.count_nonzero(kernel) <= _count_kept(kernel, sparsity)
            for kernel in kernels
        ):
            return [(kernel != 0).astype("float32") for kernel in kernels]
        if 0 <= schedule.end_step < last + schedule.frequency:
            raise ValueError(
                f"The optimizer has taken {self._began} steps, and step {last} "
                "is the last at which the schedule prunes, but the kernels "
                f"have not its {sparsity:.0%} zeros: they were not pruned "
                "then. Compile anew, so that steps count from 0, or take "
                f"`begin_step={self._began}` and a later `end_step`."
            )
        return None

    def _choose(self, sparsity):
        self._masks = [
            kept(np.asarray(layer.kernel), sparsity) for layer in self._layers
        ]

    def _apply(self):
        for layer, mask in zip(self._layers, self._masks or (), strict=False):
            layer.kernel.assign(layer.kernel * mask)

    def _step(self):
        return int(self.model.optimizer.iterations)


def kept(kernel, sparsity):
    """Which weights of a kernel stay: the greatest by magnitude.

    Args:
        kernel: array of K numbers.
        sparsity: float, the share that goes.

    Returns:
        float32 of the kernel's shape, 1 where a weight stays.

    Example:
        >>> import numpy as np
        >>> from tf_distill.compression.magnitude_pruning import kept
        >>> kept(np.array([[0.1, -3.0], [2.0, 0.0]]), 0.5).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    count = _count_kept(kernel, sparsity)
    mask = np.zeros(kernel.size, "float32")
    # A stable order: of equals the first stay, so zeros stay zero.
    order = np.argsort(-np.abs(kernel), axis=None, kind="stable")
    mask[order[:count]] = 1
    return mask.reshape(kernel.shape)


def _count_kept(kernel, sparsity):
    return round(kernel.size * (1 - sparsity))


def prunable_layers(model, exclude=()):
    """The dense layers of a model whose kernels may be pruned.

    Args:
        model: `keras.Model`.
        exclude: names of layers or blocks that may not.

    Returns:
        list of `keras.layers.Dense`.

    Raises:
        ValueError: there are none, or no layer of a name.
    """
    found, names = {}, set()
    for path, layer in _by_path(model):
        if isinstance(layer, keras.layers.Dense):
            names.update(path)
            found.setdefault(id(layer), (layer, set()))[1].update(path)
    found = [x for x, path in found.values() if not path & set(exclude)]
    unknown = sorted(set(exclude) - names)
    if unknown or not found:
        raise ValueError(
            f"{model.name} has no dense layer {', '.join(unknown)} to leave "
            f"alone; it has {', '.join(sorted(names))}."
            if unknown
            else f"{model.name} has no dense layers left to prune."
        )
    return found


def _by_path(model, path=()):
    """Every layer, however deep, with its name and those of what it is in."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        yield (*path, layer.name), layer
        yield from _by_path(layer, (*path, layer.name))


def sparsity(model):
    """The share of a model's dense kernels that is zero.

    Args:
        model: `keras.Model`.

    Returns:
        float.

    Example:
        >>> import keras
        >>> from tf_distill.compression import sparsity
        >>> model = keras.Sequential([
        ...     keras.Input((2,)),
        ...     keras.layers.Dense(3, kernel_initializer="zeros")])
        >>> sparsity(model)
        1.0
    """
    kernels = [np.asarray(layer.kernel) for layer in prunable_layers(model)]
    zeros = sum(np.count_nonzero(kernel == 0) for kernel in kernels)
    return float(zeros / sum(kernel.size for kernel in kernels))


def _schedule(given, tfmot):
    """A schedule of TFMOT's, from one or from its configuration."""
    known = {name: getattr(tfmot.sparsity.keras, name) for name in SCHEDULES}
    if isinstance(given, dict) and given.get("class_name") in known:
        return known[given["class_name"]](**given["config"])
    if isinstance(given, tuple(known.values())):
        return given
    raise ValueError(
        f"the schedule {given!r} is not a {' or '.join(SCHEDULES)} of "
        "tensorflow_model_optimization.sparsity.keras, nor its get_config()."
    )
