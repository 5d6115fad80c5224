"""Models that train only what their losses reach.

What is left out is the pooler behind inner signals or answers, a head, parts
of a block. On TensorFlow Keras would warn of their missing gradients, and
elsewhere let weight decay wear them off. The layers' `trainable` flags, which
are the user's, are heeded and left alone.
"""

from keras import tree

from tf_distill.distillation import Distiller, tapped
from tf_distill.distillation.distribution import check_scope
from tf_distill.distillation.student_model import StudentModel
from tf_distill.distillation.tapped import OUTPUT, walk


class _TrainsPart:
    """Mixin of a `keras.Model` that trains some of its variables."""

    _trained = None  # ids of variables; all while the model is made

    def _is_trained(self, variable):
        return self._trained is None or id(variable) in self._trained

    @property
    def trainable_variables(self):
        """Those that are trained; Keras asks for them by two names."""
        return [v for v in super().trainable_variables if self._is_trained(v)]

    @property
    def trainable_weights(self):
        """Those that are trained."""
        return [v for v in super().trainable_weights if self._is_trained(v)]

    @property
    def non_trainable_variables(self):
        """The others: on JAX they are part of a step's state, too."""
        others = [
            v for v in super().trainable_variables if not self._is_trained(v)
        ]
        return [*super().non_trainable_variables, *others]


class PartDistiller(_TrainsPart, Distiller):
    """A Distiller that trains only what its losses reach.

    Args:
        student, teacher, losses: as for `Distiller`.
        trained: list of layers to train, or None for all that is reached.
        on_labels: bool, whether it is compiled with a loss on labels.
    """

    def __init__(self, student, teacher, losses, *, trained, on_labels):
        super().__init__(student, teacher, losses)
        wanted = {ours for match in losses for ours, _ in match.pairs}
        if on_labels:
            wanted.add(OUTPUT)
        reached = _reached(self._student_taps.value, wanted)
        if trained is not None:
            reached &= {id(v) for layer in trained for v in layer.variables}
        projections = {id(v) for match in losses for v in match.variables}
        self._trained = reached | projections


class PartStudent(_TrainsPart, StudentModel):
    """A model that learns from labels alone, only what its outputs depend on.

    Args:
        student: functional `keras.Model`.
    """

    def __init__(self, student):
        reached = _reached(tapped(student, ()), [OUTPUT])
        super().__init__(student, student)
        check_scope(self, [student])
        self._trained = reached


def _reached(network, wanted):
    """Ids of the variables that some of a tapped network's outputs depend on.

    Args:
        network: a model, `tapped`.
        wanted: iterable of its outputs' names.

    Returns:
        frozenset of int.
    """

    def call(operation, args, kwargs, nested):
        """The variables that an operation's outputs depend on."""
        if nested is not None:
            return walk(operation, nested, call)
        found = {id(v) for v in getattr(operation, "variables", ())}
        for given in tree.flatten((args, kwargs)):
            if isinstance(given, frozenset):  # others are no tensors
                found |= given
        found = frozenset(found)
        return tree.map_structure(lambda _: found, operation.output)

    nothing = tree.map_structure(lambda _: frozenset(), network.input)
    outputs = walk(network, nothing, call)
    return frozenset().union(*tree.flatten([outputs[name] for name in wanted]))
