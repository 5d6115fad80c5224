"""MobileBERT: layer by layer from IB-BERT, then pre-training distillation.

Reference: Sun et al. 2020, https://arxiv.org/abs/2004.02984.
"""

from tf_distill.distillation import LayerMatch, LogitMatch
from tf_distill.losses import (
    AttentionKL,
    FeatureMapMean,
    FeatureMapMSE,
    FeatureMapVariance,
    SoftCrossEntropy,
)
from tf_distill.methods.distillation_stage import (
    NOT_DECAYED,
    distillation_stage,
)
from tf_distill.methods.labels import masked_lm_losses
from tf_distill.models.tap_points import encoder_tap_points
from tf_distill.optimizers import (
    Lamb,
    PhaseSchedule,
    WarmupLinearDecay,
    with_multipliers,
)

SCHEDULES = ("auxiliary", "joint", "progressive")


def pre_training(
    student,
    teacher,
    data,
    *,
    schedule="progressive",
    transfer_epochs=1,
    epochs=1,
    alpha=0.5,
    soft_freeze=0.1,
    learning_rate=0.0015,
    make_optimizer=None,
    initialize=True,
    **stage,
):
    """Knowledge transfer by one of the paper's three schedules.

    Args:
        student: masked language model of MobileBERT, such as
            `MobileBertMaskedLM`. The published code transfers without its
            dropout: build it with `attention_dropout=0.0` for that.
        teacher: the same of IB-BERT, of as many blocks of the same width.
        data: batches with `mask_positions`, `mask_weights` and labels,
            `(B, P)`; with a next-sentence head a dict of labels by output.
        schedule: `"progressive"` (PKT), a stage for each block, then one of
            pre-training distillation; `"joint"` (JKT), one stage for all
            blocks, then that one; `"auxiliary"` (AKT), all at once.
        transfer_epochs: int, of each stage of transfer; the paper's progressive
            ones have 10,000 steps of 2,048.
        epochs: int, of the last stage; the paper's has 500,000 steps.
        alpha: float, of the masked words in pre-training distillation; the
            soft labels have 1 - alpha.
        soft_freeze: float, of a progressive stage, what the learning rate of
            the blocks before is multiplied with; 0 freezes them.
        learning_rate: float.
        make_optimizer: function of a learning rate, float or schedule, that
            returns an optimizer, instead of LAMB. It is not to clip gradients,
            which is done over all of them.
        initialize: bool, whether the student begins with the teacher's
            embeddings and heads where they are alike.
        **stage: further arguments of all `Stage`s.

    Returns:
        list of `Stage`s: `"block-1"` and so on or `"transfer"`, and
        `"pre-training"`.

    Raises:
        ValueError: no such schedule.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import mobile_bert
        >>> student, teacher = (
        ...     td.models.MobileBertMaskedLM.from_preset(
        ...         name, load_weights=False, vocabulary_size=10, num_layers=2)
        ...     for name in ("mobile_bert_24l_512d", "ib_bert_large_24l_512d"))
        >>> stages = mobile_bert.pre_training(student, teacher, data=[])
        >>> [stage.name for stage in stages]
        ['block-1', 'block-2', 'pre-training']

    Reference: section 3.3, "Training Objectives", and 3.4, "Training
    Strategies".
    """
    if schedule not in SCHEDULES:
        raise ValueError(
            f"`schedule` is {schedule!r}, but must be one of "
            f"{', '.join(SCHEDULES)}."
        )
    blocks = list(encoder_tap_points(student).blocks)
    make = make_optimizer or lamb
    begin = [lambda: copy_around_the_blocks(student, teacher)]

    def transfer(name, first, last):
        """The stage that teaches the blocks from a first to a last one."""
        before = {id(v) for block in blocks[:first] for v in block.variables}

        def optimizer(steps):
            return with_multipliers(
                make,
                PhaseSchedule(3 * learning_rate, steps),
                lambda v: soft_freeze if id(v) in before else 1.0,
                global_clipnorm=1.0,
            )

        return distillation_stage(
            name,
            student,
            teacher,
            lambda: transfer_matches(range(first, last + 1), len(blocks)),
            data,
            transfer_epochs,
            optimizer,
            trained=blocks[(0 if soft_freeze else first) : last + 1],
            before=begin.pop() if begin and initialize else None,
            **stage,
        )

    stages = []
    if schedule == "progressive":
        stages = [transfer(f"block-{i + 1}", i, i) for i in range(len(blocks))]
    elif schedule == "joint":
        stages = [transfer("transfer", 0, len(blocks) - 1)]

    def matches():
        made = soft_matches(student, 1 - alpha)
        if schedule == "auxiliary":
            made += transfer_matches(range(len(blocks)), len(blocks))
        return made

    def optimizer(steps):
        rate = WarmupLinearDecay(
            learning_rate, steps, steps // 50, 1e-4 * learning_rate
        )
        return with_multipliers(make, rate, lambda v: 1.0, global_clipnorm=1.0)

    last = distillation_stage(
        "pre-training",
        student,
        teacher,
        matches,
        data,
        epochs,
        optimizer,
        **masked_lm_losses(student, alpha),
        before=begin.pop() if begin and initialize else None,
        **stage,
    )
    return [*stages, last]


def transfer_matches(blocks, num_blocks):
    """Feature maps and attention of some blocks, over their whole number.

    The weights are the published code's. Its target for the two statistics was
    by mistake those of all layers at once. Its Keras version divides by the
    number of blocks so far, which LAMB, dividing by the gradient's size, hardly
    notices.

    Args:
        blocks: iterable of int, counted from 0.
        num_blocks: int, of the student and of the teacher.

    Returns:
        list of matches for a `Distiller`.

    Reference: section 3.3, eq. 4 and 5.
    """
    layer_map = {block: block for block in blocks}
    return [
        LayerMatch(
            signal, loss, layer_map=layer_map, weight=w / num_blocks, name=name
        )
        for signal, loss, w, name in (
            ("hidden_states", FeatureMapMSE(), 100.0, "feature_maps"),
            ("hidden_states", FeatureMapMean(), 5000.0, "means"),
            ("hidden_states", FeatureMapVariance(), 5.0, "variances"),
            ("attention_scores", AttentionKL(), 1.0, "attention"),
        )
    ]


def soft_matches(student, weight):
    """The soft labels of masked words; next sentences have labels only.

    The published code's `distill_temperature` is 1. Another would multiply
    what the teacher's head reads; here a loss has a `temperature`, Hinton's.
    """
    output = "masked_lm" if isinstance(student.output, dict) else None
    return [LogitMatch(SoftCrossEntropy(), weight=weight, output=output)]


def copy_around_the_blocks(student, teacher):
    """Gives a student the teacher's embeddings and heads, where alike.

    Returns:
        list of the names of the layers that were copied: those of one name,
        type and shapes.
    """
    theirs = {x.name: x for x in _around_the_blocks(teacher)}
    copied = []
    for layer in _around_the_blocks(student):
        source = theirs.get(layer.name)
        if type(source) is type(layer) and [w.shape for w in layer.weights] == [
            w.shape for w in source.weights
        ]:
            layer.set_weights(source.get_weights())
            copied.append(layer.name)
    return copied


def lamb(learning_rate):
    """LAMB as the published code has it, without bias correction."""
    optimizer = Lamb(
        learning_rate, bias_correction=False, weight_decay=0.01, epsilon=1e-6
    )
    optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    return optimizer


def _around_the_blocks(model):
    """Layers with weights of a task and its encoder, but for the blocks."""
    encoder = getattr(model, "backbone", None) or model
    layers = list(encoder.layers)
    if encoder is not model:
        layers += [x for x in model.layers if x is not encoder]
    return [x for x in layers if x.weights and x not in encoder.blocks]
