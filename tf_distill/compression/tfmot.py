"""TensorFlow Model Optimization beside Keras 3."""

import functools
import importlib
import os
import warnings

from tf_distill.extras import how_to_install

LEGACY = "TF_USE_LEGACY_KERAS"


@functools.cache
def tensorflow_model_optimization():
    """Imports TFMOT and leaves the process on Keras 3.

    TFMOT's models are of Keras 2 (the package tf_keras, which it brings), but
    its quantizers and pruning schedules are plain TensorFlow. Its import sets
    an environment variable that would turn `tf.keras` into Keras 2 here and in
    every process started later: `tf.keras` is settled before, and the variable
    is put back.

    Returns:
        The module.

    Raises:
        ImportError: it is not installed; says how.
        ValueError: Keras does not run on TensorFlow.
    """
    import keras

    if keras.config.backend() != "tensorflow":
        raise ValueError(
            f"Keras runs on {keras.config.backend()!r}, but TensorFlow Model "
            "Optimization needs its TensorFlow backend: set "
            "KERAS_BACKEND=tensorflow."
        )
    import tensorflow as tf

    tf.keras.version()  # loaded when first used, and from then on the same
    before = os.environ.get(LEGACY)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions as distutils had them
            return importlib.import_module("tensorflow_model_optimization")
    except ImportError as error:
        raise ImportError(
            "TensorFlow Model Optimization is not installed: "
            f"{how_to_install('compression')} ({error})"
        ) from error
    finally:
        if before is None:
            os.environ.pop(LEGACY, None)
        else:
            os.environ[LEGACY] = before
