"""Models that train only what their losses reach.

What is left out is the pooler behind inner signals or answers, a head, parts
of a block; see `tf_distill.models.trains_part`.
"""

from tf_distill.distillation import Distiller, tapped
from tf_distill.distillation.distribution import check_scope
from tf_distill.distillation.reached import others, reached
from tf_distill.distillation.student_model import StudentModel
from tf_distill.distillation.tapped import OUTPUT


class PartDistiller(Distiller):
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
        found = reached(self._student_taps.value, wanted)
        if trained is not None:
            found &= {id(v) for layer in trained for v in layer.variables}
        self.left_out = others(student, found)


class PartStudent(StudentModel):
    """A model that learns from labels alone, only what its outputs depend on.

    Args:
        student: functional `keras.Model`.
    """

    def __init__(self, student):
        super().__init__(student, student)
        check_scope(self, [student])
        self.left_out = others(student, reached(tapped(student, ()), [OUTPUT]))
