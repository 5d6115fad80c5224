"""What the stages of all methods have in common."""

import keras
from keras import tree

from tf_distill.distillation import Distiller, Stage, tapped
from tf_distill.distillation.tapped import OUTPUT
from tf_distill.optimizers import AdamW, WarmupLinearDecay

# Neither biases nor the scales and shifts of normalizations decay, as in BERT.
NOT_DECAYED = ("bias", "gamma", "beta")


def distillation_stage(
    name,
    student,
    teacher,
    matches,
    data,
    epochs,
    make_optimizer,
    *,
    loss=None,
    loss_weights=None,
    metrics=None,
    before=None,
    trained=None,
    **stage,
):
    """A stage that trains a student by some matches with a teacher.

    Args:
        name: of the stage.
        student, teacher: functional `keras.Model`s.
        matches: function without arguments that returns the matches; a match
            belongs to one Distiller, and a stage may be built again.
        data: with a length, such as `BucketedBatches`.
        epochs: int.
        make_optimizer: function of the number of steps that returns the
            optimizer.
        loss, loss_weights: on labels, as in `compile`.
        metrics: iterable, of each output.
        before: function without arguments that is called first, such as one
            that gives the student its first weights.
        trained: list of layers to train, by default all that a loss reaches;
            others keep their weights, and no decay wears these off.
        **stage: further arguments of `Stage`.

    Returns:
        `tf_distill.Stage`.
    """

    def build():
        if before is not None:
            before()
        distiller = PartDistiller(
            student, teacher, matches(), trained=trained, on_labels=bool(loss)
        )
        distiller.compile(
            make_optimizer(num_steps(data, epochs)),
            loss=loss,
            loss_weights=loss_weights,
            metrics=_for_outputs(student, metrics),
            # By default Keras compiles with XLA, anew for every length.
            jit_compile=False,
        )
        return distiller

    return Stage(name, build, data, epochs, **stage)


class PartDistiller(Distiller):
    """A Distiller that trains only what its losses reach.

    Inner signals leave out what comes after them: the pooler, the head, parts
    of a block. On TensorFlow Keras would warn of their missing gradients, and
    elsewhere let weight decay wear them off.

    Args:
        student, teacher, losses: as for `Distiller`.
        trained: list of layers to train, or None for all that is reached.
        on_labels: bool, whether it is compiled with a loss on labels.
    """

    _trained = None  # ids of variables; all while the Distiller is made

    def __init__(self, student, teacher, losses, *, trained, on_labels):
        super().__init__(student, teacher, losses)
        reached = _reached(student, losses, on_labels)
        if trained is not None:
            reached &= {id(v) for layer in trained for v in layer.variables}
        projections = {id(v) for match in losses for v in match.variables}
        self._trained = frozenset(reached | projections)

    def _is_trained(self, variable):
        return self._trained is None or id(variable) in self._trained

    @property
    def trainable_variables(self):
        """Those that are trained; Keras asks for them by two names."""
        return [v for v in super().trainable_variables if self._is_trained(v)]

    @property
    def trainable_weights(self):
        """Those that are trained."""
        return [v for v in super().trainable_weights if self._is_trained(v)]

    @property
    def non_trainable_variables(self):
        """The others: on JAX they are part of a step's state, too."""
        others = [
            v for v in super().trainable_variables if not self._is_trained(v)
        ]
        return [*super().non_trainable_variables, *others]


def _reached(student, matches, on_labels):
    """Ids of the student's variables that a loss depends on."""
    wanted = {ours for match in matches for ours, _ in match.pairs}
    if on_labels:
        wanted.add(OUTPUT)
    network = tapped(student, sorted(wanted - {OUTPUT}))
    inputs = tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name),
        network.input,
    )
    behind = {}  # the ids of the variables that a tensor depends on
    alive = []  # lest a new tensor gets the id of one that is gone

    def call(operation, *args, **kwargs):
        given = tree.flatten((args, kwargs))
        # Called with a mask or frozen in one mode, a model stays as it is.
        plain = all(value is None for value in tree.flatten(kwargs))
        if plain and hasattr(operation, "_run_through_graph"):
            return operation._run_through_graph(args[0], call_fn=call)
        outputs = operation(*args, **kwargs)
        found = {id(v) for v in getattr(operation, "variables", ())}
        found.update(*(behind.get(id(x), ()) for x in given))
        alive.append(outputs)
        behind.update((id(y), found) for y in tree.flatten(outputs))
        return outputs

    # As `tapped` does: Keras has no public way to follow a graph.
    outputs = network._run_through_graph(inputs, call_fn=call)
    tensors = tree.flatten([outputs[name] for name in sorted(wanted)])
    return set().union(*(behind.get(id(x), ()) for x in tensors))


def adamw(learning_rate, *, warmup=0.1, weight_decay=0.01, **kwargs):
    """BERT's optimizer for a number of steps yet unknown.

    Args:
        learning_rate: float, at the end of the warm-up.
        warmup: float, share of the steps; then falls to 0 in a straight line.
            None keeps the learning rate constant.
        weight_decay: float, but of biases and normalizations.
        **kwargs: other arguments of `tf_distill.optimizers.AdamW`.

    Returns:
        A function of the number of steps that returns the optimizer.

    Example:
        >>> from tf_distill.methods.distillation_stage import adamw
        >>> optimizer = adamw(1e-4)(1000)
        >>> round(float(optimizer.learning_rate.numpy()), 6)  # of step 0
        0.0
    """
    kwargs = {"epsilon": 1e-6, "global_clipnorm": 1.0, **kwargs}

    def make(steps):
        rate = learning_rate
        if warmup is not None:
            rate = WarmupLinearDecay(learning_rate, steps, int(warmup * steps))
        optimizer = AdamW(rate, weight_decay=weight_decay, **kwargs)
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
        return optimizer

    return make


def num_steps(data, epochs):
    """Steps of all epochs.

    Raises:
        ValueError: nobody knows how many there are.
    """
    if hasattr(data, "start_at"):
        data.start_at(0, 0)  # its length is that of what is left
    try:
        return epochs * len(data)
    except TypeError:
        raise ValueError(
            f"The schedule of the learning rate needs to know the number of "
            f"steps, but {type(data).__name__} has no length. Give it one, "
            "with `dataset.apply(tf.data.experimental.assert_cardinality(n))`, "
            "or a dataset that knows it, such as `BucketedBatches`."
        ) from None


def label_losses(model, loss, weight):
    """A loss on labels for each output of a model.

    Args:
        model: `keras.Model` with one output or a dict of them.
        loss: function without arguments that makes a `keras.losses.Loss`.
        weight: float, of all outputs together, which share it.

    Returns:
        dict of `loss` and `loss_weights`, as in `compile`.
    """
    if not isinstance(model.output, dict):
        return {"loss": loss(), "loss_weights": [weight]}
    names = list(model.output)
    return {
        "loss": {name: loss() for name in names},
        "loss_weights": dict.fromkeys(names, weight / len(names)),
    }


def _for_outputs(student, metrics):
    """Metrics as `compile` takes them."""
    if not metrics or not isinstance(student.output, dict):
        return list(metrics or ())
    return {name: list(metrics) for name in student.output}


def cross_entropy():
    """Of class indices and logits."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
