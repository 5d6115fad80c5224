"""A model as a LiteRT (.tflite) file that phones and small machines run.

Letters: B batch, T tokens, C classes, P masked positions, V words, D hidden
width.
"""

import json
import pathlib

from tf_distill.export.litert_conversion import convert, input_names
from tf_distill.export.litert_file import (
    flex_ops,
    litert_ops,
    litert_runner,
    run_litert,
)
from tf_distill.export.publish import publish_files
from tf_distill.export.task import (
    exportable,
    names_of_outputs,
    task_of,
)

__all__ = ["flex_ops", "litert", "litert_ops", "litert_runner", "run_litert"]

QUANTIZATIONS = (None, "float16", "int8_dynamic", "int8")


def litert(
    model,
    path,
    *,
    quantization=None,
    calibration=None,
    shape=(None, None),
    label_names=None,
    task=None,
    preprocessor=None,
):
    """Converts a model to LiteRT, builtin operations only.

    The file has one signature, `serving_default`, of `token_ids`,
    `segment_ids` and `padding_mask`, `(B, T)` int32; call it by name, because
    the inputs' order in the file is alphabetical. It returns

    - of classes `logits` and `probabilities`, `(B, C)`; of a regression
      `score`, `(B,)`; of a token classifier `(B, T, C)`;
    - of question answering `start_logits` and `end_logits`, `(B, T)`;
    - of a masked LM, which takes `mask_positions`, `(B, P)`, too, `logits`,
      `(B, P, V)`, and `next_sentence_logits`, `(B, 2)`, if it has them;
    - of an encoder `mean_embedding`, the mean of the last hidden states over
      all tokens, and `pooled_embedding`, `(B, D)`.

    LiteRT has no tokenizer: `vocab.txt` and `<name>.json` (what else a
    tokenizer needs, and the labels) are written beside the file, which comes
    last, all of them or none. An older file of that name is replaced.

    Args:
        model: a text or token classifier, a question answering model, a
            masked LM or an encoder; of any precision.
        path: where to write, ending in ".tflite".
        quantization: None for float32; "float16", whose weights are; or
            "int8_dynamic", weights and embeddings in int8, activations
            quantized as they come; or "int8", whose matrix products are all
            of int8, of values in fixed ranges. See
            `tf_distill.compression.quantization_aware`: what it lets a student
            train with is what "int8" does, and such a student keeps its ranges.
        calibration: for "int8" of another model, batches of what it will see,
            a hundred texts or more: dicts of token ids, or what `fit` takes.
        shape: `(B, T)`, of a masked LM `(B, T, P)`, of all calls; None where
            any will do.
        label_names: C names; by default the model's own, or "0", "1", …
        task: "classification", "multilabel" or "regression"; by default the
            text classifier's own.
        preprocessor: for a model without its own, as encoders are.

    Returns:
        The path.

    Raises:
        ValueError: a model that cannot be exported, one that needs operations
            that are not LiteRT's own, calibration batches that do not fit it,
            or a path or temporary folder that cannot be written to.

    Example:
        >>> import keras_hub, tempfile
        >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "day"]
        >>> preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        ...     keras_hub.models.BertTokenizer(words), sequence_length=8)
        >>> backbone = keras_hub.models.BertBackbone(
        ...     vocabulary_size=6, num_layers=1, num_heads=1, hidden_dim=2,
        ...     intermediate_dim=4, max_sequence_length=8)
        >>> student = keras_hub.models.BertTextClassifier(
        ...     backbone, num_classes=2, preprocessor=preprocessor)
        >>> path = litert(student, tempfile.mkdtemp() + "/student.tflite")
        >>> flex_ops(path)
        []
    """
    path = pathlib.Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"{str(path)!r} must end in '.tflite'.")
    if quantization not in QUANTIZATIONS:
        raise ValueError(
            f"quantization {quantization!r} is not None, 'float16', "
            "'int8_dynamic' or 'int8'."
        )
    model, task = _exportable(model, task, preprocessor)
    _check_shape(shape, model, task)
    if task != "masked_lm":
        label_names = names_of_outputs(model, label_names, task)
    preprocessor = preprocessor or model.preprocessor
    tokenizer = preprocessor.tokenizer
    vocabulary = "".join(f"{word}\n" for word in tokenizer.get_vocabulary())
    vocabulary = vocabulary.encode()
    _check_same_vocabulary(path.with_name("vocab.txt"), vocabulary)
    model = _rounded(model, quantization, calibration)
    content = convert(model, task, quantization=quantization, shape=shape)
    description = {
        "inputs": list(input_names(model, task)),
        "shape": list(shape),
        "task": task,
        "label_names": label_names,
        "quantization": quantization or "float32",
        "max_length": preprocessor.sequence_length,
        "lowercase": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
    }
    description = json.dumps(description, indent=2, ensure_ascii=False)
    publish_files(
        {
            path.with_name("vocab.txt"): vocabulary,
            path.with_suffix(".json"): description.encode(),
            path: content,
        }
    )
    return path


def _exportable(model, task, preprocessor):
    """The model in float32, and its task."""
    import keras_hub

    if not isinstance(model, keras_hub.models.MaskedLM):
        task = task_of(model, task)
        return exportable(model, task, preprocessor), task
    # A SavedModel has no signature for masked words; all else is checked of
    # the encoder, which is what there is to check.
    if task not in (None, "masked_lm"):
        raise ValueError(f"task {task!r} is not this model's: 'masked_lm'.")
    exportable(model.backbone, "embedding", preprocessor or model.preprocessor)
    from tf_distill.export.float32 import as_float32

    return as_float32(model), "masked_lm"


def _rounded(model, quantization, calibration):
    """For int8, the model with the rounding in it."""
    from tf_distill.compression import (
        is_quantization_aware,
        quantization_aware,
    )
    from tf_distill.compression.quantization_aware import (
        observe_weights,
        plain_copy,
    )

    aware = is_quantization_aware(model)
    if quantization != "int8":
        if calibration is not None:
            raise ValueError(
                f"quantization {quantization!r} needs no `calibration`: leave "
                "it out, or ask for 'int8'."
            )
        if aware:
            raise ValueError(
                f"{model.name} has the rounding of int8 in it, so that it can "
                "be converted with quantization='int8' only. For another, save "
                "it (`save_to_preset`) and load the plain model."
            )
        return model
    if not aware:
        return quantization_aware(plain_copy(model), calibration)
    if calibration is not None:
        raise ValueError(
            f"{model.name} has trained with ranges of its own: leave "
            "`calibration` out."
        )
    observe_weights(model)  # which the last step has changed
    return model


def _check_shape(shape, model, task):
    sizes = (2, 3) if task == "masked_lm" else (2,)
    valid = len(shape) in sizes and all(
        size is None or (type(size) is int and size > 0) for size in shape
    )
    longest = getattr(
        getattr(model, "backbone", model), "max_sequence_length", None
    )
    if not valid or (shape[1] and longest and shape[1] > longest):
        raise ValueError(
            f"`shape` is {shape!r}, but must be (batch, tokens), each a whole "
            f"number or None for any, and at most {longest} tokens."
        )


def _check_same_vocabulary(path, vocabulary):
    """A second file may share a folder, but only with the same tokenizer."""
    if path.exists() and path.read_bytes() != vocabulary:
        raise ValueError(
            f"{str(path)!r} holds another model's vocabulary: write to "
            "another folder, or remove it if that model is gone."
        )
