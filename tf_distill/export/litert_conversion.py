"""From a Keras model to the bytes of a .tflite file.

Letters: B batch, T tokens, P masked positions, V words.
"""

import tempfile

from tf_distill.export.save_signatures import save_signatures
from tf_distill.export.signatures import token_functions
from tf_distill.export.task import INPUT_NAMES, named_outputs

SIGNATURE = "serving_default"


def input_names(model, task):
    """The names of a .tflite file's inputs, each `(B, T)` or `(B, P)`."""
    positions = ("mask_positions",) if task == "masked_lm" else ()
    return (*INPUT_NAMES, *positions)


def convert(model, task, *, quantization=None, shape=(None, None)):
    """Converts a model with LiteRT's builtin operations alone.

    Args:
        model: a task or an encoder, in float32; for "int8" one that has the
            rounding in it (`tf_distill.compression`).
        task: one of `tf_distill.export.task.TASKS`, or "masked_lm".
        quantization: see `tf_distill.export.litert`.
        shape: `(B, T)`, of a masked LM `(B, T, P)`; None where any will do.

    Returns:
        bytes.

    Raises:
        ValueError: it needs operations that are not LiteRT's own, or there is
            no room for temporary files.
    """
    import tensorflow as tf

    function = tf.function(
        _function(model, task),
        input_signature=_specifications(input_names(model, task), shape),
        autograph=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            save_signatures(model, {SIGNATURE: function}, folder)
        except OSError as error:
            raise ValueError(
                "cannot write to the folder for temporary files, "
                f"{tempfile.gettempdir()!r} ({error.strerror}): make room "
                "there, or set TMPDIR to a folder on another disk."
            ) from error
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=[SIGNATURE]
        )
        # Without SELECT_TF_OPS what needs Flex fails here, not on the phone.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantization is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            return converter.convert()
        except Exception as error:  # the converter's own class is private
            # Without the cause: it quotes the whole graph.
            raise ValueError(
                f"{model.name} cannot be converted with LiteRT's builtin "
                f"operations alone. {_unsupported(str(error))}"
            ) from None


def _function(model, task):
    names = input_names(model, task)
    if task == "embedding":
        embed = token_functions(model, task, None)["embed_tokens"]
        return lambda *inputs: embed(*inputs)

    def predict(*inputs):
        inputs = dict(zip(names, inputs, strict=True))
        inputs = {name: inputs[name] for name in model.input}
        outputs = model(inputs, training=False)
        if task != "masked_lm":
            return named_outputs(outputs, task)
        if not isinstance(outputs, dict):
            return {"logits": outputs}
        return {
            "logits": outputs["masked_lm"],
            "next_sentence_logits": outputs["next_sentence"],
        }

    return predict


def _specifications(names, shape):
    import tensorflow as tf

    batch, length, *positions = shape
    widths = dict.fromkeys(names, length)
    if "mask_positions" in widths:
        widths["mask_positions"] = positions[0] if positions else None
    return [
        tf.TensorSpec((batch, width), "int32", name=name)
        for name, width in widths.items()
    ]


def _unsupported(message):
    """The lines of a converter's error that name operations."""
    lines = [line.strip() for line in message.splitlines()]
    named = [
        line
        for line in lines
        if line.startswith(("TF Select ops:", "Custom ops:", "tf."))
    ]
    return "\n".join(dict.fromkeys(named)) or message[:2000]
