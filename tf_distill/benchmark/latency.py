"""How long a prediction takes.

Letters: B batch, T tokens.
"""

import dataclasses
import time


@dataclasses.dataclass(frozen=True)
class Latency:
    """Milliseconds a call took.

    Args:
        median: float, ms.
        p95: float, ms; of twenty calls one took longer.
        rounds: int, how many calls were timed.
    """

    median: float
    p95: float
    rounds: int


def latency(callables, rounds=30, warmup=5):
    """Times several functions in turn: A, B, C, A, B, C and so on.

    In turn, because a machine's speed drifts by more than models differ: what
    slows one round slows it for all of them.

    Args:
        callables: dict of functions without arguments, by name.
        rounds: int, timed calls of each.
        warmup: int, calls of each before.

    Returns:
        dict of `Latency`, by name.

    Raises:
        ValueError: fewer than one round.

    Example:
        >>> times = latency({"sleep": lambda: time.sleep(0.002)}, rounds=3)
        >>> times["sleep"].median > 1.9
        True
    """
    import numpy as np

    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds}.")
    for _ in range(warmup):
        for function in callables.values():
            function()
    seconds = {name: [] for name in callables}
    for _ in range(rounds):
        for name, function in callables.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {
        name: Latency(
            median=float(np.median(times)) * 1e3,
            p95=float(np.percentile(times, 95)) * 1e3,
            rounds=rounds,
        )
        for name, times in seconds.items()
    }


def keras_callable(model, batch=1, length=128):
    """A forward pass of a Keras model as one compiled graph.

    Args:
        model: a text model of `token_ids`, `segment_ids`, `padding_mask`.
        batch: B.
        length: T, all of them tokens.

    Returns:
        Function without arguments.
    """
    import tensorflow as tf

    inputs = {
        name: tf.constant(x) for name, x in _inputs(batch, length).items()
    }
    function = tf.function(
        lambda inputs: model(inputs, training=False), autograph=False
    )
    return lambda: function(inputs).numpy()


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
    import tensorflow as tf

    # Registers the operations that the raw text signature is made of.
    import tensorflow_text  # noqa: F401

    loaded = tf.saved_model.load(version_folder)
    if texts is None:
        signature = loaded.signatures["tokens"]
        arrays = _inputs(batch, length)
    else:
        signature = loaded.signatures["serving_default"]
        arrays = {"text": texts}
    inputs = {name: tf.constant(array) for name, array in arrays.items()}

    def predict(loaded=loaded):  # whose signatures live as long as it does
        return {k: v.numpy() for k, v in signature(**inputs).items()}

    return predict


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
    from tf_distill.export.litert import litert_runner

    runner = litert_runner(path, threads)
    inputs = _inputs(batch, length)
    return lambda: runner(**inputs)


def _inputs(batch, length):
    import numpy as np

    return {
        "token_ids": np.ones((batch, length), "int32"),
        "segment_ids": np.zeros((batch, length), "int32"),
        "padding_mask": np.ones((batch, length), "int32"),
    }
