"""TinyBERT: inner signals first, soft labels last; twice.

Reference: Jiao et al. 2020, https://arxiv.org/abs/1909.10351.
"""

from tf_distill.distillation import EmbeddingMatch, LayerMatch, LogitMatch
from tf_distill.losses import (
    AttentionMSE,
    HiddenMSE,
    LogitMSE,
    SoftCrossEntropy,
    SoftSigmoidCrossEntropy,
)
from tf_distill.methods.distillation_stage import adamw, distillation_stage
from tf_distill.methods.labels import task_of


def inner_matches(layer_map="uniform"):
    """Embeddings, hidden states and attention scores, all of weight 1.

    The sum over layers of equations 7 to 9, with the matrices W_e and W_h. The
    published code has one `fit_dense` for both, which is no argument here: two
    matrices can be equal, and a bias, which it has as well, only adds to the
    one that the student's layer normalization has learnt before. By mistake,
    it averages over padding and leaves dropout on in the teacher.

    Args:
        layer_map: see `tf_distill.distillation.layer_map`.

    Returns:
        list of matches for a `Distiller`.

    Reference: section 3.2, eq. 6 to 9, 11.
    """
    return [
        EmbeddingMatch(HiddenMSE(), projection=True),
        LayerMatch(
            "hidden_states", HiddenMSE(), layer_map=layer_map, projection=True
        ),
        LayerMatch("attention_scores", AttentionMSE(), layer_map=layer_map),
    ]


def general(
    student,
    teacher,
    data,
    *,
    epochs=3,
    learning_rate=1e-4,
    make_optimizer=None,
    layer_map="uniform",
    **stage,
):
    """General distillation: a pre-trained teacher's inner signals on a corpus.

    Args:
        student: `BertBackbone` or a task on one, of random weights; 4 blocks
            of width 312 or 6 of 768, with as many heads as the teacher has.
        teacher: pre-trained BERT, not fine-tuned.
        data: unlabeled text, such as `BucketedBatches`.
        epochs: int; 3 in the published code.
        learning_rate: float; the paper trains "as BERT" is, its published code
            at 5e-5.
        make_optimizer: function of the number of steps that returns an
            optimizer, instead of AdamW at `learning_rate`.
        layer_map: see `tf_distill.distillation.layer_map`.
        **stage: further arguments of `Stage`.

    Returns:
        list of one `Stage`, `"general"`.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import tiny_bert
        >>> def encoder(num_layers):
        ...     return td.models.BertBackbone.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> stages = tiny_bert.general(encoder(1), encoder(2), data=[])
        >>> [stage.name for stage in stages]
        ['general']

    Reference: section 3.3, "General Distillation".
    """
    return [
        distillation_stage(
            "general",
            student,
            teacher,
            lambda: inner_matches(layer_map),
            data,
            epochs,
            make_optimizer or adamw(learning_rate),
            **stage,
        )
    ]


def task(
    student,
    teacher,
    data,
    *,
    intermediate_epochs=20,
    prediction_epochs=3,
    learning_rate=5e-5,
    prediction_learning_rate=3e-5,
    temperature=1.0,
    scaled=False,
    make_optimizer=None,
    layer_map="uniform",
    metrics="auto",
    monitor=None,
    **stage,
):
    """Task-specific distillation: a fine-tuned teacher's signals on its task.

    First the inner signals, then what the teacher predicts; no labels, which
    the paper tried without gain. Train on augmented data.

    The published code's optimizer is BERT's first one, which corrects no bias,
    and clips each weight's gradient by itself; its intermediate stage has a
    constant learning rate. `make_optimizer` may return such ones: a
    `tf_distill.optimizers.Lamb(bias_correction=False, clipnorm=1.0)` without
    layer adaptation, or what
    `tf_distill.methods.distillation_stage.adamw(5e-5, warmup=None)` makes.

    Args:
        student: `TinyBertTextClassifier` or another task, begun from general
            distillation.
        teacher: the same task, fine-tuned.
        data: the task's, such as `BucketedBatches`; labels are for `metrics`.
        intermediate_epochs: int; 20, for large tasks 10, for CoLA 50.
        prediction_epochs: int.
        learning_rate: float, of the intermediate stage.
        prediction_learning_rate: float; 1, 2 or 3e-5, chosen on dev.
        temperature: float, T, of the soft labels.
        scaled: bool, whether their loss is times T², which keeps its gradient's
            size; neither the paper nor its code does that.
        make_optimizer: function of the number of steps that returns an
            optimizer, instead of AdamW, for both stages.
        layer_map: see `tf_distill.distillation.layer_map`.
        metrics: of the prediction stage, on labels, as in `compile`; `"auto"`
            is that of the student's `task`.
        monitor: of the prediction stage; see `Stage`.
        **stage: further arguments of both `Stage`s.

    Returns:
        list of two `Stage`s, `"intermediate"` and `"prediction"`.

    Example:
        >>> import tf_distill as td
        >>> from tf_distill.methods import tiny_bert
        >>> def classifier(num_layers):
        ...     return td.models.BertTextClassifier.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False, num_classes=2,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> stages = tiny_bert.task(classifier(1), classifier(2), data=[])
        >>> [stage.name for stage in stages]
        ['intermediate', 'prediction']

    Reference: section 3.3, "Task-specific Distillation"; section 4.2.
    """
    return [
        distillation_stage(
            "intermediate",
            student,
            teacher,
            lambda: inner_matches(layer_map),
            data,
            intermediate_epochs,
            make_optimizer or adamw(learning_rate),
            **stage,
        ),
        distillation_stage(
            "prediction",
            student,
            teacher,
            lambda: [
                LogitMatch(prediction_loss(student, temperature, scaled=scaled))
            ],
            data,
            prediction_epochs,
            make_optimizer or adamw(prediction_learning_rate),
            metrics=metrics,
            monitor=monitor,
            **stage,
        ),
    ]


def prediction_loss(student, temperature=1.0, *, scaled=True):
    """The loss on logits for a student's `task`.

    Soft cross-entropy (eq. 10), which the published code divides by the number
    of classes: a match's `weight` gives that. For several labels its sigmoid
    sibling; for scores the squared error to the teacher's, where the published
    code takes the gold score and leaves the teacher out: a student's own
    `compile()` and `fit` do that.

    Args:
        student: `keras.Model`, see `tf_distill.methods.labels.task_of`.
        temperature: float, T; of no account for scores.
        scaled: bool, whether the value is times T², as equation 10 is not.
    """
    kind = task_of(student)
    if kind == "regression":
        return LogitMSE()
    if kind == "multilabel":
        return SoftSigmoidCrossEntropy(temperature=temperature, scaled=scaled)
    return SoftCrossEntropy(temperature=temperature, scaled=scaled)
