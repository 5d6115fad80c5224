"""Pre-trained Distillation: pre-train the student, distil, fine-tune.

Reference: Turc et al. 2019, "Well-Read Students Learn Better",
https://arxiv.org/abs/1908.08962.
"""

from tf_distill.distillation import LogitMatch, Stage
from tf_distill.losses import MaskedLMCrossEntropy
from tf_distill.methods.distillation_stage import (
    adamw,
    cross_entropy,
    distillation_stage,
    num_steps,
)
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
    loss=None,
    metrics=("accuracy",),
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
        loss: on labels, by default the cross-entropy of class indices.
        metrics: of the fine-tuning, on labels.
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

    def pre_training():
        steps = num_steps(corpus, pre_training_epochs)
        language_model.compile(
            adamw(pre_training_learning_rate)(steps),
            loss=MaskedLMCrossEntropy(),
            weighted_metrics=None,
            jit_compile=False,
        )
        _freeze_pooler(student, trainable=False)
        return language_model

    def fine_tuning():
        steps = num_steps(labelled, fine_tuning_epochs)
        student.compile(
            adamw(learning_rate)(steps),
            loss=loss or cross_entropy(),
            metrics=list(metrics),
            jit_compile=False,
        )
        return student

    stages = [
        Stage("pre-training", pre_training, corpus, pre_training_epochs),
        distillation_stage(
            "distillation",
            student,
            teacher,
            lambda: [LogitMatch(prediction_loss(student))],
            transfer,
            distillation_epochs,
            adamw(learning_rate),
            metrics=metrics if stage.get("validation_data") else (),
            monitor=monitor if labelled is None else None,
            before=lambda: _freeze_pooler(student, trainable=True),
            **stage,
        ),
    ]
    if labelled is not None:
        stages.append(
            Stage(
                "fine-tuning",
                fine_tuning,
                labelled,
                fine_tuning_epochs,
                monitor=monitor,
                **stage,
            )
        )
    return stages


def _freeze_pooler(student, trainable):
    """Masked words do not reach it."""
    pooler = getattr(student.backbone, "pooler", None)
    if pooler is not None:
        pooler.trainable = trainable
