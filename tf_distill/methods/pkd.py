"""BERT-PKD: patient distillation of each layer's [CLS] while fine-tuning.

Reference: Sun et al. 2019, https://arxiv.org/abs/1908.09355.
"""

from tf_distill.distillation import LayerMatch, LogitMatch
from tf_distill.losses import ClsDistance
from tf_distill.methods.distillation_stage import adamw, distillation_stage
from tf_distill.methods.labels import label_losses
from tf_distill.methods.tiny_bert import prediction_loss


def patient(
    student,
    teacher,
    data,
    *,
    layer_map="skip",
    alpha=0.5,
    beta=10.0,
    temperature=5.0,
    epochs=4,
    learning_rate=5e-5,
    make_optimizer=None,
    loss="auto",
    metrics="auto",
    monitor=None,
    **stage,
):
    """`(1 - alpha) CE + alpha soft CE + beta patient loss`, all at once.

    Begin the student with the first blocks of pre-trained BERT:
    `initialize_from_teacher(student, bert, blocks=range(6))`.

    The patient loss sums over a layer's width and over the layers, as in the
    paper; the published code takes means, for which `beta` is to be divided by
    their number. Its soft labels' divergence is a mean over the classes.

    Args:
        student: task, such as `BertTextClassifier`; for scores the squared
            error to the teacher's stands in for the soft labels.
        teacher: the same task, fine-tuned, of the same width.
        data: labelled, such as `BucketedBatches`.
        layer_map: `"skip"`, every N/M-th block, or `"last"`, the last ones;
            both without the last of all.
        alpha: float, of the soft labels; 0.2, 0.5 or 0.7, chosen on dev.
        beta: float, of the patient loss; 10 to 1000.
        temperature: float, of the soft labels; 5, 10 or 20.
        epochs: int.
        learning_rate: float; 5, 2 or 1e-5.
        make_optimizer: function of the number of steps that returns an
            optimizer, instead of AdamW at `learning_rate`.
        loss: on labels, as in `compile`; `"auto"` is that of the student's
            `task`: for classes the cross-entropy of their indices.
        metrics: on labels, as in `compile`; `"auto"` is that of the task.
        monitor: see `Stage`.
        **stage: further arguments of `Stage`.

    Returns:
        list of one `Stage`, `"patient"`.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import pkd
        >>> def classifier(num_layers):
        ...     return td.models.BertTextClassifier.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False, num_classes=2,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> stages = pkd.patient(
        ...     classifier(2), classifier(4), data=[], layer_map="last")
        >>> [stage.name for stage in stages]
        ['patient']

    Reference: section 3.3, eq. 6 and 7.
    """

    def matches():
        return [
            LogitMatch(prediction_loss(student, temperature), weight=alpha),
            LayerMatch(
                "hidden_states",
                ClsDistance(),
                layer_map=layer_map,
                weight=beta,
                name="patient",
            ),
        ]

    return [
        distillation_stage(
            "patient",
            student,
            teacher,
            matches,
            data,
            epochs,
            make_optimizer or adamw(learning_rate),
            **label_losses(student, loss, 1.0 - alpha),
            metrics=metrics,
            monitor=monitor,
            **stage,
        )
    ]
