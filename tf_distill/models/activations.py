"""Activations by name. `"gelu"` is the exact one, as Keras has it."""

import keras


def activation_named(name):
    """The activation of a name: Keras' own, and `"gelu_approximate"`.

    Example:
        >>> from tf_distill.models.activations import activation_named
        >>> activation_named("gelu_approximate").__name__
        'gelu_approximate'
    """
    if name == "gelu_approximate":
        return gelu_approximate
    return keras.activations.get(name)


@keras.saving.register_keras_serializable(package="tf_distill")
def gelu_approximate(x):
    """GELU by its tanh approximation, as in Google's and KerasHub's BERT."""
    return keras.activations.gelu(x, approximate=True)
