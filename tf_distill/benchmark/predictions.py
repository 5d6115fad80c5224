"""Predictions as functions, to be timed: Keras, SavedModel and LiteRT.

A predictor takes a dict of token inputs and returns arrays; a callable is a
predictor with inputs of its own. What a model does not read, as DistilBERT
reads no segments, is not handed to it.

Letters: B batch, T tokens.
"""

import pathlib

KERAS = "keras"  # the format that the others are compared with


def callable_of(model, batch=1, length=128, threads=None):
    """A forward pass of a model, or of an export of it.

    Args:
        model: a Keras text model, the path of a SavedModel's version folder,
            or that of a .tflite file.
        batch: B.
        length: T, all of them tokens.
        threads: int, of LiteRT; None for its choice.

    Returns:
        Function without arguments.

    Raises:
        ValueError: there is nothing at the path.
    """
    if not isinstance(model, (str, pathlib.Path)):
        return keras_callable(model, batch, length)
    path = pathlib.Path(model)
    if path.is_dir():
        return saved_model_callable(str(path), batch, length)
    if not path.exists():
        raise ValueError(
            f"{path} is not there: give a Keras model, a version folder, for "
            "example saved_models/tiny_bert/1, or a .tflite file."
        )
    return litert_callable(path, batch, length, threads)


def keras_callable(model, batch=1, length=128):
    """A forward pass of a Keras model as one compiled graph.

    Args:
        model: a text model of `token_ids`, `padding_mask` and, it may be,
            `segment_ids`.
        batch: B.
        length: T, all of them tokens.

    Returns:
        Function without arguments.
    """
    predict = keras_predictor(model, batch, length)
    return _with_inputs(predict, batch, length)


def saved_model_callable(version_folder, batch=1, length=128, texts=None):
    """A prediction of a SavedModel that `tf_distill.export` wrote.

    Args:
        version_folder: for example "saved_models/tiny_bert/1".
        batch: B.
        length: T, all of them tokens.
        texts: list of str to give to `serving_default` instead, to time
            tokenization too.

    Returns:
        Function without arguments.
    """
    if texts is None:
        predict = saved_model_predictor(version_folder)
        return _with_inputs(predict, batch, length)
    predict = saved_model_predictor(version_folder, "serving_default")
    return lambda: predict({"text": texts})


def litert_callable(path, batch=1, length=128, threads=None):
    """A prediction of a .tflite file that `tf_distill.export` wrote.

    Args:
        path: the file.
        batch: B.
        length: T, all of them tokens.
        threads: int, or None for LiteRT's choice.

    Returns:
        Function without arguments.
    """
    return _with_inputs(litert_predictor(path, threads), batch, length)


def keras_predictor(model, batch=None, length=None):
    """A Keras model as a function of its inputs.

    Args:
        model: as for `keras_callable`.
        batch: B if it is always the same, None if it varies.
        length: T, likewise.

    Returns:
        Function of a dict of int32 arrays, `(B, T)`, that returns an array,
        or whatever structure of arrays the model has.
    """
    import keras
    import tensorflow as tf

    names = sorted(model.input)

    @tf.function(
        input_signature=[tf.TensorSpec((batch, length), "int32")] * len(names),
        autograph=False,
    )
    def forward(*inputs):
        return model(dict(zip(names, inputs, strict=True)), training=False)

    # Traced here: TensorFlow warns of many functions that trace when called.
    concrete = forward.get_concrete_function()

    def predict(inputs):
        outputs = concrete(*(tf.constant(inputs[name]) for name in names))
        return keras.tree.map_structure(lambda x: x.numpy(), outputs)

    return predict


def saved_model_predictor(version_folder, signature="tokens"):
    """A SavedModel that `tf_distill.export` wrote as a function.

    Args:
        version_folder: as for `saved_model_callable`.
        signature: "tokens", or "serving_default" for raw text.

    Returns:
        Function of a dict of inputs that returns a dict of arrays.
    """
    import tensorflow as tf

    # Registers the operations that the raw text signature is made of.
    import tensorflow_text  # noqa: F401

    loaded = tf.saved_model.load(version_folder)
    function = loaded.signatures[signature]
    dtypes = {
        name: spec.dtype
        for name, spec in function.structured_input_signature[1].items()
    }

    def predict(inputs, loaded=loaded):  # whose signatures live as it does
        outputs = function(
            **{n: tf.constant(inputs[n], dtype) for n, dtype in dtypes.items()}
        )
        return {name: value.numpy() for name, value in outputs.items()}

    return predict


def litert_predictor(path, threads=None):
    """A .tflite file that `tf_distill.export` wrote as a function.

    Args:
        path: the file.
        threads: int, or None for LiteRT's choice.

    Returns:
        Function of a dict of int32 arrays, `(B, T)`, that returns a dict of
        arrays.
    """
    from tf_distill.export.litert import litert_runner

    runner = litert_runner(path, threads)
    names = list(runner.get_input_details())
    return lambda inputs: runner(**{name: inputs[name] for name in names})


def predictor_of(form, path, model, threads=None, shape=(None, None)):
    """A format as a function of token inputs; as by `keras_predictor`.

    What was written for `transformers` is read back into Keras.
    """
    if form == "saved_model":
        return saved_model_predictor(str(path))
    if form.startswith("litert"):
        return litert_predictor(path, threads)
    if form == "hugging_face":
        model = type(model).from_preset(str(path))
    return keras_predictor(model, *shape)


def token_inputs(batch, length):
    """Inputs of tokens alone, without padding.

    Returns:
        dict of `token_ids`, `segment_ids` and `padding_mask`, `(B, T)` int32.

    Example:
        >>> from tf_distill.benchmark.predictions import token_inputs
        >>> token_inputs(1, 3)["padding_mask"].tolist()
        [[1, 1, 1]]
    """
    import numpy as np

    return {
        "token_ids": np.ones((batch, length), "int32"),
        "segment_ids": np.zeros((batch, length), "int32"),
        "padding_mask": np.ones((batch, length), "int32"),
    }


def _with_inputs(predict, batch, length):
    inputs = token_inputs(batch, length)
    return lambda: predict(inputs)
