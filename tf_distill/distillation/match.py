"""What every match has: a loss, a weight, pairs of signals, a projection.

Letters: B batch, T tokens.
"""

import keras
from keras import ops

from tf_distill.distillation.match_losses import (
    check_loss,
    check_signals_for,
)
from tf_distill.distillation.teachers import full_signal
from tf_distill.distillation.term_weight import TermWeight

PADDING_MASK = "padding_mask"
PROJECTIONS = (False, True, "each")


class Match(keras.layers.Layer):
    """A weighted loss between pairs of signals; the base of the matches.

    Args:
        loss: `tf_distill.losses.DistillationLoss`, not reduced otherwise than
            by default: the Distiller takes the mean over the examples.
        weight: float, of this term in the total; an attribute that a callback
            may set at any step, and that no checkpoint holds.
        projection: whether the student's signal is first mapped to the
            teacher's width by a learned matrix without bias. True shares one
            among all pairs of this match (TinyBERT's W_h and W_e), `"each"`
            learns one for each pair.
        teacher: str, whose signals, where there are several teachers.
        name: of the term in the logs; by default `default_name`, after the
            teacher's name if there is one.

    Raises:
        ValueError: `loss` is not such a loss, or no such `projection`.
    """

    # The input of the batch that is 1 at the positions that count.
    where = PADDING_MASK

    def __init__(
        self,
        loss,
        *,
        weight=1.0,
        projection=False,
        teacher=None,
        name=None,
        default_name="match",
    ):
        if name is None:
            name = f"{teacher}_{default_name}" if teacher else default_name
        check_loss(loss, name)
        if projection not in PROJECTIONS:
            raise ValueError(
                f"The match {name!r} has `projection={projection!r}`, but it "
                f"must be one of {', '.join(map(repr, PROJECTIONS))}."
            )
        # Signals come in the dtype that they have: under a mixed policy Keras
        # would cast float32 logits and scores to half precision first.
        super().__init__(name=name, autocast=False)
        self.supports_masking = True  # else Keras warns of every mask
        self.loss = loss
        self.weight = weight
        self.projection = projection
        self.teacher = teacher
        self.projections = []
        self.pairs = ()
        self.task = None

    @property
    def weight(self):
        """Of this term in the total, float."""
        return self._weight

    @weight.setter
    def weight(self, value):
        self._weight = float(value)
        if self.built:
            self.term_weight.assign(self._weight)

    def signals(self, student, teacher):
        """The pairs of signal names, `(student's, teacher's)`."""
        raise NotImplementedError

    def connect(self, student, teacher):
        """Finds the pairs of signals in the student and its teacher."""
        if self.built:
            raise ValueError(
                f"The match {self.name!r} belongs to another Distiller: it "
                "keeps which signals of its models are compared, their weight "
                "and their projection. Make a new one for this Distiller."
            )
        pairs = list(self.signals(student, teacher))
        check_signals_for(self.loss, pairs, self.name)
        # What its logits mean; see `LogitStatistics`.
        self.task = getattr(student, "task", None)
        self.pairs = tuple(
            (ours, full_signal(self.teacher, theirs)) for ours, theirs in pairs
        )

    def check(self, student, teacher):
        """Raises, before any step, where two signals cannot be compared.

        Args:
            student, teacher: dicts of symbolic tensors by signal name.
        """
        for ours, theirs in self.pairs:
            shape = student[ours].shape
            if self.projection:
                if len(shape) != 3:
                    raise ValueError(
                        f"The match {self.name!r} cannot project {ours!r}, "
                        f"{tuple(shape)}: only signals with a width have a "
                        "`projection`: embeddings, hidden_states, queries, "
                        "keys and values."
                    )
                shape = (*shape[:-1], teacher[theirs].shape[-1])
            self._check_pair(
                (ours, theirs), keras.KerasTensor(shape), teacher[theirs]
            )

    def own(self, distiller, student, teacher):
        """Makes the match, checked, a Distiller's; builds what is its own.

        Args:
            distiller: `Distiller`, of the student's dtype policy.
            student, teacher: dicts of symbolic tensors by signal name.
        """
        if self.projection:
            pairs = self.pairs if self.projection == "each" else self.pairs[:1]
            made = []
            for index, (ours, theirs) in enumerate(pairs):
                dense = keras.layers.Dense(
                    teacher[theirs].shape[-1],
                    use_bias=False,
                    dtype=distiller.dtype_policy,
                    name=f"projection_{index}" if len(pairs) > 1 else None,
                )
                dense.build(student[ours].shape)
                made.append(dense)
            self.projections = made
        self.term_weight = TermWeight(self.weight, distiller)
        self.built = True

    def positions(self, inputs, student):
        """Which positions count, `(B, T)`, or None where all do.

        Args:
            inputs: of the batch, a dict of tensors or anything else.
            student: dict of tensors by signal name. Where the batch has no
                padding mask, Keras' own counts, which layers such as
                `Embedding(mask_zero=True)` leave on them.

        Raises:
            ValueError: the batch lacks the input that was asked for.
        """
        known = sorted(inputs) if isinstance(inputs, dict) else []
        if self.where in known:
            return inputs[self.where]
        if self.where == PADDING_MASK:
            signal = student[self.pairs[0][0]]
            return None if len(signal.shape) < 3 else _keras_mask(signal)
        raise ValueError(
            f"The match {self.name!r} counts the positions that {self.where!r} "
            f"names, but the batch has the inputs {known}: add one, 1 where a "
            "position counts and 0 where not."
        )

    def call(self, student, teacher, where=None, blank=False):
        """Sum over the pairs, float32, `(B,)`; of zeros for a student's."""
        return sum(
            self._term(index, student[ours], teacher[theirs], where, blank)
            for index, (ours, theirs) in enumerate(self.pairs)
        )

    def compute_mask(self, inputs, previous_mask):
        """None: of one value an example all count."""

    def _term(self, index, student, teacher, where, blank):
        if self.projections:
            student = self.projections[index % len(self.projections)](student)
        student = ops.zeros_like(student) if blank else student
        if len(student.shape) < 3:
            where = None  # one value an example already: nothing is padded
        if where is not None:
            self._check_positions(where.shape[1], student.shape[-2])
        # A length that was not known before may be now; 1 would broadcast.
        self._check_pair(self.pairs[index], student, teacher)
        return self.loss.per_example(teacher, student, where)

    def _check_pair(self, names, student, teacher):
        try:
            self.loss.check(teacher, student)
        except ValueError as error:
            raise ValueError(
                f"The match {self.name!r} cannot compare the student's "
                f"{names[0]!r} with the teacher's {names[1]!r}: {error}"
            ) from None

    def _check_positions(self, found, needed):
        if None not in (found, needed) and found != needed:
            raise ValueError(
                f"The match {self.name!r} compares {needed} positions of each "
                f"example, but {self.where!r} has {found}. Give outputs at "
                "other positions than the tokens', such as masked words, a "
                "mask of their own: `LogitMatch(..., where='mask_weights')`."
            )


def check_matches(losses):
    """Raises unless a Distiller's losses are matches, one at least.

    Raises:
        ValueError: they are not.
    """
    if not isinstance(losses, (list, tuple)):
        raise ValueError(
            "`losses` must be a list of matches, such as [LogitMatch(...)], "
            f"not {losses!r}."
        )
    if not losses:
        raise ValueError("`losses` is empty: there is nothing to distil.")
    for match in losses:
        if not isinstance(match, Match):
            raise ValueError(
                f"`losses` has {match!r}, which does not say what is compared: "
                "put it into a match, such as `LogitMatch(SoftCrossEntropy())` "
                "or `LayerMatch('hidden_states', HiddenMSE())`."
            )


class _KerasMask(keras.layers.Layer):
    """The mask that Keras' layers left on a tensor, `(B, T)`, or None."""

    def __init__(self):
        super().__init__(autocast=False)
        self.supports_masking = True

    def call(self, x, mask=None):
        # Keras gives it to a layer that has the argument; it has no function.
        return mask

    def compute_mask(self, inputs, previous_mask):
        """None: a mask has none."""


_keras_mask = _KerasMask()
