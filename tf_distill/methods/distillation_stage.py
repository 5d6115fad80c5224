"""What the stages of all methods have in common."""

from tf_distill.distillation import Stage
from tf_distill.methods.labels import label_metrics
from tf_distill.methods.trained_part import PartDistiller, PartStudent
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
        metrics: see `label_metrics`.
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
            metrics=label_metrics(student, metrics),
            # By default Keras compiles with XLA, anew for every length.
            jit_compile=False,
        )
        return distiller

    return Stage(name, build, data, epochs, **stage)


def label_stage(
    name,
    model,
    data,
    epochs,
    make_optimizer,
    *,
    loss,
    loss_weights=None,
    metrics=None,
    **stage,
):
    """A stage that trains a model on labels alone.

    Args:
        name: of the stage.
        model: functional `keras.Model`.
        data: labelled, with a length, such as `BucketedBatches`.
        epochs: int.
        make_optimizer: function of the number of steps that returns the
            optimizer.
        loss, loss_weights: as in `compile`.
        metrics: see `label_metrics`.
        **stage: further arguments of `Stage`.

    Returns:
        `tf_distill.Stage`.
    """

    def build():
        trained = PartStudent(model)
        trained.compile(
            make_optimizer(num_steps(data, epochs)),
            loss=loss,
            loss_weights=loss_weights,
            metrics=label_metrics(model, metrics),
            jit_compile=False,
        )
        return trained

    return Stage(name, build, data, epochs, **stage)


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
