"""A task as a LiteRT (.tflite) file that phones and small machines run.

Letters: B batch, T tokens, C classes.
"""

import json
import pathlib
import tempfile

from tf_distill.export.publish import publish_file
from tf_distill.export.task import (
    INPUT_NAMES,
    exportable,
    named_outputs,
    names_of_outputs,
    token_signature,
)

QUANTIZATIONS = (None, "int8_dynamic")


def litert(
    model, path, *, quantization=None, label_names=None, task="classification"
):
    """Converts a task to LiteRT, builtin operations only.

    The file has one signature, `serving_default`, of `token_ids`,
    `segment_ids` and `padding_mask`, `(B, T)` int32 of any B and T; call it by
    name, because the inputs' order in the file is alphabetical. LiteRT has no
    tokenizer: `vocab.txt` and `<name>.json` (what else a tokenizer needs, and
    the labels) are written beside the file, which comes last.

    Args:
        model: a KerasHub text classifier with a preprocessor; of any
            precision.
        path: where to write, ending in ".tflite".
        quantization: None for float32, or "int8_dynamic": weights and
            embeddings in int8, activations quantized as they come.
        label_names: C names; by default the model's own, or "0", "1", …
        task: "classification", "multilabel" or "regression"; the outputs are
            those of `saved_model`, without `label`.

    Returns:
        The path.

    Raises:
        ValueError: a model that cannot be exported, one that needs operations
            that are not LiteRT's own, or a path that cannot be written to.

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
            f"quantization {quantization!r} is not None or 'int8_dynamic'."
        )
    model = exportable(model, task)
    label_names = names_of_outputs(model, label_names, task)
    tokenizer = model.preprocessor.tokenizer
    vocabulary = "".join(f"{word}\n" for word in tokenizer.get_vocabulary())
    vocabulary = vocabulary.encode()
    _check_same_vocabulary(path.with_name("vocab.txt"), vocabulary)
    content = _convert(model, quantization, task)
    description = {
        "inputs": list(INPUT_NAMES),
        "task": task,
        "label_names": label_names,
        "max_length": model.preprocessor.sequence_length,
        "lowercase": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
    }
    publish_file(path.with_name("vocab.txt"), vocabulary)
    publish_file(
        path.with_suffix(".json"),
        json.dumps(description, indent=2, ensure_ascii=False).encode(),
    )
    return publish_file(path, content)


def flex_ops(path):
    """The operations of a .tflite file that plain LiteRT cannot run.

    Args:
        path: a .tflite file.

    Returns:
        Sorted list of the names of its custom operations; those of TensorFlow
        begin with "Flex".

    Raises:
        ValueError: not a .tflite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = pathlib.Path(path).read_bytes()
    if not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise ValueError(f"{str(path)!r} is not a .tflite file.")
    model = schema.Model.GetRootAs(content)
    codes = map(model.OperatorCodes, range(model.OperatorCodesLength()))
    custom = (code.CustomCode() for code in codes)
    return sorted(name.decode() for name in custom if name)


def run_litert(path, batches, *, threads=None):
    """Runs a .tflite file.

    Args:
        path: a .tflite file that `litert` wrote.
        batches: iterable of dicts of `token_ids`, `segment_ids` and
            `padding_mask`, `(B, T)`, of any integer dtype.
        threads: int, or None for LiteRT's choice.

    Returns:
        dict of the outputs, the batches' rows one after the other.

    Raises:
        ImportError: LiteRT is not installed.
    """
    import numpy as np

    runner = litert_runner(path, threads)
    outputs = [
        runner(**{name: np.asarray(batch[name], "int32") for name in batch})
        for batch in batches
    ]
    return {
        name: np.concatenate([output[name] for output in outputs])
        for name in (outputs[0] if outputs else {})
    }


def litert_runner(path, threads=None):
    """A function that calls a .tflite file's signature by name.

    Args:
        path: a .tflite file.
        threads: int, or None for LiteRT's choice.

    Returns:
        Function of the int32 inputs, as keywords, that returns a dict.

    Raises:
        ImportError: LiteRT is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            "LiteRT is not installed: pip install 'tf_distill[litert]'"
        ) from error
    # Given as bytes, because a mapped file that is replaced would crash.
    interpreter = Interpreter(
        model_content=pathlib.Path(path).read_bytes(), num_threads=threads
    )
    return interpreter.get_signature_runner("serving_default")


def _check_same_vocabulary(path, vocabulary):
    """A second file may share a folder, but only with the same tokenizer."""
    if path.exists() and path.read_bytes() != vocabulary:
        raise ValueError(
            f"{str(path)!r} holds another model's vocabulary: write to "
            "another folder, or remove it if that model is gone."
        )


def _convert(model, quantization, task):
    import tensorflow as tf

    def predict(*inputs):
        inputs = dict(zip(INPUT_NAMES, inputs, strict=True))
        return named_outputs(model(inputs, training=False), task)

    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    module.predict = tf.function(
        predict, input_signature=token_signature(), autograph=False
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(
            module, folder, signatures={"serving_default": module.predict}
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        # Without SELECT_TF_OPS what needs Flex fails here, not on the phone.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantization == "int8_dynamic":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        try:
            return converter.convert()
        except Exception as error:  # the converter's own class is private
            # Without the cause: it quotes the whole graph.
            raise ValueError(
                f"{model.name} cannot be converted with LiteRT's builtin "
                f"operations alone. {_unsupported(str(error))}"
            ) from None


def _unsupported(message):
    """The lines of a converter's error that name operations."""
    lines = [line.strip() for line in message.splitlines()]
    named = [
        line
        for line in lines
        if line.startswith(("TF Select ops:", "Custom ops:", "tf."))
    ]
    return "\n".join(dict.fromkeys(named)) or message[:2000]
