"""Writes functions and the model that they run as TensorFlow's SavedModel."""

import errno


def save_signatures(model, functions, path):
    """Writes a SavedModel of some signatures.

    Args:
        model: a Keras model, whose variables are saved.
        functions: dict of `tf.function` with input signatures, by name.
        path: folder to write to.

    Raises:
        OSError: the system refused it: there is no room, say.
    """
    import tensorflow as tf

    module = tf.Module()
    module.variables_of_model = [variable.value for variable in model.variables]
    module.functions = list(functions.values())
    try:
        tf.saved_model.save(module, str(path), signatures=functions)
    except (
        tf.errors.FailedPreconditionError,
        tf.errors.OutOfRangeError,
        tf.errors.PermissionDeniedError,
        tf.errors.ResourceExhaustedError,
        tf.errors.UnknownError,
    ) as error:  # what TensorFlow makes of the system's errors
        full = (tf.errors.OutOfRangeError, tf.errors.ResourceExhaustedError)
        number = errno.ENOSPC if isinstance(error, full) else errno.EIO
        raise OSError(number, error.message[:200]) from error
