"""What can be exported, checked in one place, and what an export returns.

Letters: B batch, T tokens, C classes.
"""

from tf_distill.export.float32 import as_float32

INPUT_NAMES = ("token_ids", "segment_ids", "padding_mask")
TASKS = ("classification", "multilabel", "regression")


def exportable(model, task):
    """Checks that a model can be exported and gives it in float32.

    Args:
        model: a KerasHub text classifier whose outputs are logits.
        task: one of `TASKS`.

    Returns:
        The task in float32.

    Raises:
        ValueError: not a built text classifier with a tokenizer that gives
            logits, a `task` that does not fit it, or Keras does not run on
            TensorFlow.
    """
    import keras
    import keras_hub

    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"Keras runs on {keras.config.backend()!r} but only its TensorFlow "
            "backend exports. Save the model (`model.save_to_preset(folder)`) "
            "and export it in a process with KERAS_BACKEND=tensorflow."
        )
    if hasattr(model, "student"):
        raise ValueError(
            f"{type(model).__name__} holds a teacher and a student; export "
            "the student alone: pass `distiller.student`."
        )
    if not isinstance(model, keras_hub.models.Task):
        built = getattr(model, "built", True)
        raise ValueError(
            f"expected a `keras_hub.models.TextClassifier`, which brings its "
            f"tokenizer, but got {'' if built else 'an unbuilt '}"
            f"{type(model).__name__}. Put the encoder into a task, for "
            "example `BertTextClassifier(backbone, num_classes=2, "
            "preprocessor=preprocessor)`."
        )
    _check_preprocessor(model)
    activation = getattr(model, "activation", None)
    if activation not in (None, keras.activations.linear):
        raise ValueError(
            f"{model.name}'s outputs go through {activation.__name__}, but an "
            "export needs logits: build the task with `activation=None`."
        )
    _check_task(task, model.output_shape[-1])
    return as_float32(model)


def _check_task(task, num_outputs):
    if task not in TASKS:
        raise ValueError(f"task {task!r} is not one of {', '.join(TASKS)}.")
    if task == "regression" and num_outputs != 1:
        raise ValueError(
            "a regression has one output but this model has "
            f"{num_outputs}: for classes use task='classification'."
        )


def _check_preprocessor(model):
    preprocessor = model.preprocessor
    if preprocessor is None or preprocessor.tokenizer is None:
        raise ValueError(
            f"{model.name} has no preprocessor, so its export could not read "
            "text. Set `model.preprocessor`, for example to a "
            "`keras_hub.models.BertTextClassifierPreprocessor(tokenizer, "
            "sequence_length=128)`."
        )
    longest = getattr(model.backbone, "max_sequence_length", None)
    if longest is not None and preprocessor.sequence_length > longest:
        raise ValueError(
            f"{model.name}'s preprocessor makes up to "
            f"{preprocessor.sequence_length} tokens but its backbone has "
            f"positions for {longest}: set "
            f"`model.preprocessor.sequence_length = {longest}`."
        )
    words = len(preprocessor.tokenizer.get_vocabulary())
    rows = getattr(model.backbone, "vocabulary_size", words)
    if words > rows:
        raise ValueError(
            f"{model.name}'s tokenizer knows {words} words but its backbone "
            f"has embeddings for {rows}: they do not belong together."
        )


def names_of_outputs(model, label_names, task):
    """The names of a model's classes, in the order of its logits.

    Args:
        model: a task; its own `label_names` hold where none are given.
        label_names: C names, or None.
        task: one of `TASKS`.

    Returns:
        list of C str, "0", "1", … where nobody named them; None for a
        regression.

    Raises:
        ValueError: a wrong number of names.
    """
    if task == "regression":
        if label_names is not None:
            raise ValueError("a regression has a score, so no `label_names`.")
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
        logits: `(B, C)` tensor.
        task: "classification" (softmax), "multilabel" (sigmoid) or
            "regression" (the output itself).

    Returns:
        dict of `logits` and `probabilities`, `(B, C)`; or of `score`, `(B,)`.
    """
    import tensorflow as tf

    if task == "regression":
        return {"score": logits[:, 0]}
    to_probabilities = tf.nn.softmax
    if task == "multilabel":
        to_probabilities = tf.math.sigmoid
    return {"logits": logits, "probabilities": to_probabilities(logits)}
