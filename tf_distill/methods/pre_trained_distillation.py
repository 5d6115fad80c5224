"""Pre-trained Distillation: pre-train the student, distil, fine-tune.

Reference: Turc et al. 2019, "Well-Read Students Learn Better",
https://arxiv.org/abs/1908.08962.
"""

from tf_distill.distillation import LogitMatch
from tf_distill.methods.distillation_stage import (
    adamw,
    distillation_stage,
    label_stage,
)
from tf_distill.methods.labels import label_losses, masked_lm_losses
from tf_distill.methods.tiny_bert import prediction_loss


def pre_trained_distillation(
    language_model,
    student,
    teacher,
    *,
    corpus,
    transfer,
    labelled=None,
    pre_training_epochs=1,
    distillation_epochs=3,
    fine_tuning_epochs=4,
    pre_training_learning_rate=1e-4,
    learning_rate=5e-5,
    loss="auto",
    metrics="auto",
    monitor=None,
    **stage,
):
    """The stages of Pre-trained Distillation.

    The paper gives no hyper-parameters of the distillation; these are BERT's.

    Args:
        language_model: masked language model over the student's encoder, such
            as `BertMaskedLM(student.backbone)`.
        student: task, such as `BertTextClassifier`.
        teacher: the same task, fine-tuned.
        corpus: masked text with the masked words as labels, a negative one
            where none was masked.
        transfer: unlabeled text of the task.
        labelled: the task's labelled data, or None for no fine-tuning.
        pre_training_epochs, distillation_epochs, fine_tuning_epochs: int.
        pre_training_learning_rate, learning_rate: float; of the last two
            stages 3e-4, 1e-4, 5e-5 or 3e-5, chosen on dev.
        loss: on labels, as in `compile`; `"auto"` is that of the student's
            `task`: for classes the cross-entropy of their indices.
        metrics: of the last two stages, on labels, as in `compile`; `"auto"` is
            that of the task. The distillation has labels only in
            `validation_data`.
        monitor: of the fine-tuning, or else of the distillation; see `Stage`.
        **stage: further arguments of the last two `Stage`s, such as
            `validation_data`.

    Returns:
        list of `Stage`s, `"pre-training"`, `"distillation"` and, with labelled
        data, `"fine-tuning"`.

    Raises:
        ValueError: the language model and the student share no encoder.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import pre_trained_distillation
        >>> def classifier(num_layers):
        ...     return td.models.BertTextClassifier.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False, num_classes=2,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> student = classifier(1)
        >>> stages = pre_trained_distillation.pre_trained_distillation(
        ...     td.models.BertMaskedLM(student.backbone), student,
        ...     classifier(2), corpus=[], transfer=[])
        >>> [stage.name for stage in stages]
        ['pre-training', 'distillation']

    Reference: section 2, "Pre-trained Distillation".
    """
    if getattr(language_model, "backbone", None) is not student.backbone:
        raise ValueError(
            "What the language model learns would not reach the student: "
            "build both on one encoder, such as BertMaskedLM("
            "student.backbone)."
        )

    stages = [
        label_stage(
            "pre-training",
            language_model,
            corpus,
            pre_training_epochs,
            adamw(pre_training_learning_rate),
            **masked_lm_losses(language_model),
        ),
        distillation_stage(
            "distillation",
            student,
            teacher,
            lambda: [LogitMatch(prediction_loss(student))],
            transfer,
            distillation_epochs,
            adamw(learning_rate),
            metrics=() if stage.get("validation_data") is None else metrics,
            monitor=monitor if labelled is None else None,
            **stage,
        ),
    ]
    if labelled is not None:
        stages.append(
            label_stage(
                "fine-tuning",
                student,
                labelled,
                fine_tuning_epochs,
                adamw(learning_rate),
                **label_losses(student, loss),
                metrics=metrics,
                monitor=monitor,
                **stage,
            )
        )
    return stages
