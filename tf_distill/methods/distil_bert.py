"""DistilBERT: half the layers, pre-trained by three losses at once.

Reference: Sanh et al. 2019, https://arxiv.org/abs/1910.01108.
"""

from tf_distill.distillation import (
    LayerMatch,
    LogitMatch,
    initialize_from_teacher,
)
from tf_distill.distillation.initialization import evenly_spaced
from tf_distill.losses import (
    AttentionKL,
    HiddenCosine,
    MaskedLMCrossEntropy,
    SoftKLDivergence,
)
from tf_distill.methods.distillation_stage import adamw, distillation_stage
from tf_distill.methods.labels import label_losses, task_of
from tf_distill.methods.tiny_bert import prediction_loss
from tf_distill.models.tap_points import encoder_tap_points


def pre_training(
    student,
    teacher,
    data,
    *,
    soft_weight=5.0,
    masked_lm_weight=2.0,
    cosine_weight=1.0,
    attention_weight=0.0,
    temperature=2.0,
    initialize=True,
    epochs=3,
    learning_rate=5e-4,
    make_optimizer=None,
    **stage,
):
    """The triple loss: soft labels, masked words, the last hidden states.

    The weights 5, 2 and 1 are those that the published checkpoint was trained
    with (huggingface/transformers#2013); the README's equal ones are worse.

    The published code takes the soft labels' divergence over all tokens: give
    all positions as the batch's `mask_positions`, `mask_weights` of 1 at
    tokens, and labels of -100 where none was masked. Positions of masked words
    alone are its `--restrict_ce_to_mask`, and far cheaper.

    Args:
        student: masked language model of half the layers, such as
            `DistilBertMaskedLM`.
        teacher: pre-trained masked language model, such as `BertMaskedLM`.
        data: batches with `mask_positions`, `mask_weights` and labels,
            `(B, P)`.
        soft_weight, masked_lm_weight, cosine_weight: float, of each loss.
        attention_weight: float, of a fourth on the attention distributions of
            the blocks the student begins with. 0: neither the paper nor its
            code has one, though texts about DistilBERT say that it copies its
            teacher's attention.
        temperature: float, of the soft labels, whose loss is times T².
        initialize: bool, whether the student begins with the teacher's blocks,
            of 12 these: 0, 2, 4, 7, 9, 11. It needs the teacher's width.
        epochs: int.
        learning_rate: float, after a warm-up of 5 %; down to 0 at the end.
        make_optimizer: function of the number of steps that returns an
            optimizer, instead of AdamW at `learning_rate`.
        **stage: further arguments of `Stage`.

    Returns:
        list of one `Stage`, `"pre-training"`.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import distil_bert
        >>> def model(num_layers):
        ...     return td.models.BertMaskedLM.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> stages = distil_bert.pre_training(model(1), model(2), data=[])
        >>> [stage.name for stage in stages]
        ['pre-training']

    Reference: section 2 and 3.
    """
    ours, theirs = (
        len(encoder_tap_points(model).blocks) for model in (student, teacher)
    )
    blocks = evenly_spaced(ours, theirs)

    def matches():
        made = [
            LogitMatch(
                SoftKLDivergence(temperature=temperature), weight=soft_weight
            ),
            LayerMatch(
                "hidden_states",
                HiddenCosine(),
                layer_map={ours - 1: theirs - 1},
                weight=cosine_weight,
                name="cosine",
            ),
        ]
        if attention_weight:
            made.append(
                LayerMatch(
                    "attention_scores",
                    AttentionKL(),
                    layer_map=blocks,
                    weight=attention_weight,
                )
            )
        return made

    def begin():
        initialize_from_teacher(student, teacher, blocks)

    make = adamw(
        learning_rate,
        warmup=0.05,
        weight_decay=0.0,
        beta_2=0.98,
        global_clipnorm=5.0,
    )
    return [
        distillation_stage(
            "pre-training",
            student,
            teacher,
            matches,
            data,
            epochs,
            make_optimizer or make,
            **label_losses(student, MaskedLMCrossEntropy(), masked_lm_weight),
            before=begin if initialize else None,
            **stage,
        )
    ]


def fine_tuning(
    student,
    teacher,
    data,
    *,
    soft_weight=0.5,
    label_weight=0.5,
    temperature=2.0,
    epochs=3,
    learning_rate=5e-5,
    make_optimizer=None,
    loss="auto",
    metrics="auto",
    monitor=None,
    **stage,
):
    """The second step: distillation by a fine-tuned teacher, with labels.

    By mistake, the published code's divergence of starts and ends is over
    padding, too, to which this package's heads give no weight.

    Args:
        student: task on a pre-trained DistilBERT; with several outputs, such
            as the start and end of an answer, their mean counts. For scores
            the squared error to the teacher's stands in for the soft labels.
        teacher: the same task, fine-tuned.
        data: labelled, such as `BucketedBatches`.
        soft_weight, label_weight: float.
        temperature: float, of the soft labels, whose loss is times T².
        epochs: int.
        learning_rate: float, falling to 0 without a warm-up.
        make_optimizer: function of the number of steps that returns an
            optimizer, instead of AdamW at `learning_rate`.
        loss: on labels, as in `compile`; `"auto"` is that of the student's
            `task`: for classes the cross-entropy of their indices.
        metrics: on labels, as in `compile`; `"auto"` is that of the task.
        monitor: see `Stage`.
        **stage: further arguments of `Stage`.

    Returns:
        list of one `Stage`, `"fine-tuning"`.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import distil_bert
        >>> def classifier(num_layers):
        ...     return td.models.BertTextClassifier.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False, num_classes=2,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> stages = distil_bert.fine_tuning(
        ...     classifier(1), classifier(2), data=[], temperature=4.0)
        >>> [stage.name for stage in stages]
        ['fine-tuning']

    Reference: section 4, "DistilBERT (D)".
    """
    soft = SoftKLDivergence(temperature=temperature)
    if task_of(student) != "classification":
        soft = prediction_loss(student, temperature)
    outputs = [None]
    if isinstance(student.output, dict):
        outputs = list(student.output)

    def matches():
        return [
            LogitMatch(soft, weight=soft_weight / len(outputs), output=name)
            for name in outputs
        ]

    make = adamw(learning_rate, warmup=0.0, weight_decay=0.0, epsilon=1e-8)
    return [
        distillation_stage(
            "fine-tuning",
            student,
            teacher,
            matches,
            data,
            epochs,
            make_optimizer or make,
            **label_losses(student, loss, label_weight),
            metrics=metrics,
            monitor=monitor,
            **stage,
        )
    ]
