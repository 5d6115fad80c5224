"""What can be exported, checked in one place, and what an export returns.

Letters: B batch, T tokens, C classes.
"""

from tf_distill.export.float32 import as_float32

INPUT_NAMES = ("token_ids", "segment_ids", "padding_mask")
TEXT_TASKS = ("classification", "multilabel", "regression")
TASKS = (*TEXT_TASKS, "token_classification", "question_answering", "embedding")
# Tables of embeddings are rounded up, to as much as a multiple of this.
ROUNDED_UP_TO = 128


def task_of(model, task=None):
    """What a model's outputs mean, by its class and as it was trained.

    Args:
        model: a text classifier, token classifier, question answering model
            or backbone.
        task: of a text classifier, one of `TEXT_TASKS`, if not its own.

    Returns:
        One of `TASKS`.

    Raises:
        ValueError: a model of another kind, or a `task` that does not fit it.

    Example:
        >>> from tf_distill.models import BertBackbone
        >>> task_of(BertBackbone(10, 1, 1, 2, 4))
        'embedding'
    """
    import keras_hub

    from tf_distill.models.question_answering import QuestionAnswering
    from tf_distill.models.token_classifier import TokenClassifier

    _check_is_one_network(model)
    if isinstance(model, keras_hub.models.TextClassifier):
        own = task or getattr(model, "task", None) or "classification"
        _check_task(own, TEXT_TASKS)
        return own
    for cls, own in (
        (TokenClassifier, "token_classification"),
        (QuestionAnswering, "question_answering"),
        (keras_hub.models.Backbone, "embedding"),
    ):
        if isinstance(model, cls):
            _check_task(task or own, (own,))
            return own
    built = getattr(model, "built", True)
    advice = "Put the encoder into a task, for example `BertTextClassifier("
    advice += "backbone, num_classes=2, preprocessor=preprocessor)`."
    if isinstance(model, keras_hub.models.Task):
        advice = "Export its encoder, `model.backbone`, for embeddings."
    raise ValueError(
        "expected a text or token classifier, a question answering model or "
        f"an encoder, but got {'' if built else 'an unbuilt '}"
        f"{type(model).__name__}. {advice}"
    )


def exportable(model, task, preprocessor=None):
    """Checks that a model can be exported and gives it in float32.

    Args:
        model: a KerasHub task or backbone whose outputs are logits.
        task: one of `TASKS`.
        preprocessor: for a model without its own, as backbones are.

    Returns:
        The model in float32.

    Raises:
        ValueError: not a built model with a tokenizer that gives logits, a
            `task` that does not fit it, or Keras does not run on TensorFlow.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"Keras runs on {keras.config.backend()!r} but only its TensorFlow "
            "backend exports. Save the model (`model.save_to_preset(folder)`) "
            "and export it in a process with KERAS_BACKEND=tensorflow."
        )
    task = task_of(model, task)
    check_not_quantized(model)
    _check_preprocessor(model, preprocessor)
    activation = getattr(model, "activation", None)
    if task in TEXT_TASKS and activation not in (
        None,
        keras.activations.linear,
    ):
        raise ValueError(
            f"{model.name}'s outputs go through {activation.__name__}, but an "
            "export needs logits: build the task with `activation=None`."
        )
    if task == "regression" and model.output_shape[-1] != 1:
        raise ValueError(
            "a regression has one output but this model has "
            f"{model.output_shape[-1]}: for classes use task='classification'."
        )
    return as_float32(model)


def check_not_quantized(model):
    """Refuses what Keras' own `quantize` has made of a model.

    Args:
        model: `keras.Model`.

    Raises:
        ValueError: it was quantized by Keras.
    """
    from tf_distill.compression.quantization_aware import (
        is_quantized_by_keras,
    )

    if is_quantized_by_keras(model):
        raise ValueError(
            f"{model.name} was quantized by Keras (`quantize`), and no format "
            "takes its layers: export the model as it was before; LiteRT then "
            "rounds it, with quantization='int8_dynamic' or 'int8'."
        )


def _check_is_one_network(model):
    if hasattr(model, "student"):
        raise ValueError(
            f"{type(model).__name__} holds a teacher and a student; export "
            "the student alone: pass `distiller.student`."
        )


def _check_task(task, tasks):
    if task not in tasks:
        raise ValueError(
            f"task {task!r} is not one of this model's: {', '.join(tasks)}."
        )


def _check_preprocessor(model, preprocessor):
    preprocessor = preprocessor or getattr(model, "preprocessor", None)
    if preprocessor is None or preprocessor.tokenizer is None:
        own = getattr(model, "preprocessor_cls", None)
        name = own.__name__ if own else "BertTextClassifierPreprocessor"
        raise ValueError(
            f"{model.name} has no preprocessor, whose tokenizer goes into an "
            "export of text and beside one of token ids. Set "
            "`model.preprocessor`, or give `preprocessor=` beside a backbone, "
            f"for example a `{name}(tokenizer, sequence_length=128)`."
        )
    encoder = getattr(model, "backbone", model)
    longest = getattr(encoder, "max_sequence_length", None)
    if longest is not None and preprocessor.sequence_length > longest:
        raise ValueError(
            f"{model.name}'s preprocessor makes up to "
            f"{preprocessor.sequence_length} tokens but its backbone has "
            f"positions for {longest}: set "
            f"`model.preprocessor.sequence_length = {longest}`."
        )
    words = len(preprocessor.tokenizer.get_vocabulary())
    rows = getattr(encoder, "vocabulary_size", words)
    if not 0 <= rows - words < ROUNDED_UP_TO:
        raise ValueError(
            f"{model.name}'s tokenizer knows {words} words but its backbone "
            f"has embeddings for {rows}: they do not belong together. Take the "
            "tokenizer that the model was trained with."
        )


def names_of_outputs(model, label_names, task):
    """The names of a model's classes, in the order of its logits.

    Args:
        model: a task; its own `label_names` hold where none are given.
        label_names: C names, or None.
        task: one of `TASKS`.

    Returns:
        list of C str, "0", "1", … where nobody named them; None of what has no
        classes.

    Raises:
        ValueError: a wrong number of names.
    """
    if task in ("regression", "question_answering", "embedding"):
        if label_names is not None:
            raise ValueError(f"{task} has no classes, and so no `label_names`.")
        return None
    num_outputs = model.output_shape[-1]
    if label_names is None:
        label_names = getattr(model, "label_names", None)
    if label_names is None:
        label_names = range(num_outputs)
    label_names = [str(name) for name in label_names]
    if len(label_names) != num_outputs:
        raise ValueError(
            f"{model.name} has {num_outputs} outputs, but there are "
            f"{len(label_names)} label_names: {label_names}. Give one name "
            "for each, in the order of the logits."
        )
    return label_names


def token_signature():
    """The inputs of a signature that takes ids: `(B, T)` int32, by name."""
    import tensorflow as tf

    return [
        tf.TensorSpec((None, None), "int32", name=name) for name in INPUT_NAMES
    ]


def named_outputs(logits, task):
    """What a signature returns: probabilities beside logits, or a score.

    Args:
        logits: `(B, C)` tensor; `(B, T, C)` of a token classifier; of question
            answering, a dict of `start` and `end`, `(B, T)`.
        task: "classification" and "token_classification" (softmax),
            "multilabel" (sigmoid), "regression" (the output itself) or
            "question_answering".

    Returns:
        dict of `logits` and `probabilities`, of the logits' shape; of `score`,
        `(B,)`; or of `start_logits` and `end_logits`, `(B, T)`.
    """
    import tensorflow as tf

    if task == "regression":
        return {"score": logits[:, 0]}
    if task == "question_answering":
        return {f"{name}_logits": value for name, value in logits.items()}
    to_probabilities = tf.nn.softmax
    if task == "multilabel":
        to_probabilities = tf.math.sigmoid
    return {"logits": logits, "probabilities": to_probabilities(logits)}
