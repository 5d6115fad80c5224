"""A match's weight, as the steps that are already traced read it."""

import weakref

import keras


class TermWeight:
    """A scalar variable that is in no checkpoint and in no model's weights.

    Keras tracks the variables that are a layer's attributes, not those of
    this. On JAX, where a step must be handed all that it reads, the Distiller
    appends it to the non-trainable variables.

    Args:
        value: float.
        distiller: `Distiller`, which multiplies a term by it.

    Attributes:
        variable: `keras.Variable`, float32, `()`.
    """

    def __init__(self, value, distiller):
        self.variable = keras.Variable(
            value, dtype="float32", trainable=False, name="weight"
        )
        self._distiller = weakref.ref(distiller)

    def assign(self, value):
        """Gives it a value that the next step uses."""
        # Keras on JAX keeps the values of an epoch outside of the variables,
        # and reads these again only where a callback asked for theirs.
        sync = getattr(self._distiller(), "jax_state_sync", None)
        if sync is not None:
            sync()
        self.variable.assign(value)
