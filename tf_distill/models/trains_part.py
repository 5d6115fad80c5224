"""Models that leave some of their weights as they are.

Without gradients these would make Keras warn on TensorFlow, and elsewhere let
weight decay wear them off. The layers' `trainable` flags, which are the
user's, are heeded and left alone: the same layer may be trained elsewhere.
"""


class TrainsPart:
    """Mixin of a `keras.Model` that trains some of its variables.

    What is left out belongs to the model as ever: it is saved, and shown.
    """

    left_out = frozenset()  # ids of variables

    @property
    def trainable_variables(self):
        """Those that are trained; Keras asks for them by two names."""
        return self._trained(super().trainable_variables)

    @property
    def trainable_weights(self):
        """Those that are trained."""
        return self._trained(super().trainable_weights)

    @property
    def non_trainable_variables(self):
        """The others: on JAX they are part of a step's state, too."""
        others = self._left_out(super().trainable_variables)
        return [*super().non_trainable_variables, *others]

    @property
    def non_trainable_weights(self):
        """The others: what `summary` counts beside those that are trained."""
        others = self._left_out(super().trainable_weights)
        return [*super().non_trainable_weights, *others]

    def _left_out(self, variables):
        left_out = self.left_out
        return [v for v in variables if id(v) in left_out]

    def _trained(self, variables):
        left_out = self.left_out
        return [v for v in variables if id(v) not in left_out]


class LeavesPooler(TrainsPart):
    """Mixin of tasks, some of which read an encoder's tokens alone.

    Those with `reads_pooler=False` leave the encoder's pooler as it is.
    """

    @property
    def left_out(self):
        """Ids of the pooler's variables, if the encoder has one."""
        encoder = getattr(self, "backbone", None)
        pooler = getattr(encoder, "pooler", None)
        if pooler is None or self.reads_pooler:
            return frozenset()
        return frozenset(map(id, pooler.variables))
