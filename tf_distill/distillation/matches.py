"""What a Distiller compares: a signal of the student with one of the teacher.

Letters: B batch.
"""

import keras

from tf_distill import losses
from tf_distill.distillation.compatibility import check_label_names
from tf_distill.distillation.layer_maps import layer_map
from tf_distill.distillation.tapped import EMBEDDINGS, OUTPUT
from tf_distill.models.tap_points import tap_points


class Match(keras.layers.Layer):
    """A weighted loss between pairs of signals; the base of the matches.

    Args:
        loss: `tf_distill.losses.DistillationLoss`, not reduced otherwise than
            by default: the Distiller takes the mean over the examples.
        weight: float, of this term in the total.
        projection: bool, whether the student's signal is first mapped to the
            teacher's width by a learned matrix without bias, shared by all
            pairs of this match (TinyBERT's W_h and W_e).
        name: of the term in the logs.

    Raises:
        ValueError: `loss` is not such a loss.
    """

    def __init__(self, loss, *, weight=1.0, projection=False, name=None):
        _check_loss(loss, name)
        # Signals come in the dtype that they have: under a mixed policy Keras
        # would cast float32 logits and scores to half precision first.
        super().__init__(name=name, autocast=False)
        self.loss = loss
        self.weight = weight
        self.projection = projection
        self.dense = None
        self.pairs = ()

    def signals(self, student, teacher):
        """The pairs of signal names, `(student's, teacher's)`."""
        raise NotImplementedError

    def connect(self, student, teacher):
        """Finds the pairs of signals in two models."""
        if self.built:
            raise ValueError(
                f"The match {self.name!r} belongs to another Distiller, which "
                "trains its projection: make a new one for this Distiller."
            )
        self.pairs = tuple(self.signals(student, teacher))

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
            try:
                self.loss.check(teacher[theirs], keras.KerasTensor(shape))
            except ValueError as error:
                raise ValueError(
                    f"The match {self.name!r} cannot compare the student's "
                    f"{ours!r} with the teacher's {theirs!r}: {error}"
                ) from None

    def own(self, student, teacher):
        """Makes the match, checked, this Distiller's; builds its projection.

        Args:
            student, teacher: dicts of symbolic tensors by signal name.
        """
        if self.projection:
            ours, theirs = self.pairs[0]
            self.dense = keras.layers.Dense(
                teacher[theirs].shape[-1], use_bias=False, name="projection"
            )
            self.dense.build(student[ours].shape)
        self.built = True

    def call(self, student, teacher, where=None):
        """Sum over the pairs, float32, `(B,)`, before the weight."""
        return sum(
            self._term(student[ours], teacher[theirs], where)
            for ours, theirs in self.pairs
        )

    def _term(self, student, teacher, where):
        if self.dense is not None:
            student = self.dense(student)
        return self.loss.per_example(teacher, student, where)


class LogitMatch(Match):
    """Compares what the two models return.

    Args:
        loss: a loss on logits, such as `SoftCrossEntropy`.
        weight: float, of this term in the total.
        name: of the term in the logs.

    Example:
        >>> import tf_distill as td
        >>> match = td.LogitMatch(
        ...     td.losses.SoftCrossEntropy(temperature=2.0), weight=0.5)
        >>> match.name
        'logits'
    """

    def __init__(self, loss, *, weight=1.0, name="logits"):
        super().__init__(loss, weight=weight, name=name)

    def signals(self, student, teacher):
        return [(OUTPUT, OUTPUT)]

    def connect(self, student, teacher):
        check_label_names(student, teacher)
        super().connect(student, teacher)

    def check(self, student, teacher):
        for whose, output in (
            ("student", student[OUTPUT]),
            ("teacher", teacher[OUTPUT]),
        ):
            if isinstance(output, (dict, list, tuple)):
                raise ValueError(
                    f"The match {self.name!r} needs models with one output, "
                    f"but the {whose} has {len(output)}: put a head on it, as "
                    "`tf_distill.models.BertTextClassifier` does."
                )
        super().check(student, teacher)

    def _term(self, student, teacher, where):
        # One value an example already; a padding mask has no place in it.
        return self.loss.per_example(
            teacher, student, where if len(student.shape) > 2 else None
        )


class EmbeddingMatch(Match):
    """Compares the embeddings, what the first block reads.

    Args:
        loss: a loss on hidden states, such as `HiddenMSE`.
        weight: float, of this term in the total.
        projection: bool, whether to learn W_e (TinyBERT, eq. 9).
        name: of the term in the logs.

    Example:
        >>> import tf_distill as td
        >>> match = td.EmbeddingMatch(td.losses.HiddenMSE(), projection=True)
        >>> match.name
        'embeddings'
    """

    def __init__(
        self, loss, *, weight=1.0, projection=False, name="embeddings"
    ):
        super().__init__(loss, weight=weight, projection=projection, name=name)

    def signals(self, student, teacher):
        return [(EMBEDDINGS, EMBEDDINGS)]


class LayerMatch(Match):
    """Compares a signal of blocks; the sum over the blocks of a layer map.

    Args:
        signal: `"hidden_states"` or `"attention_scores"`, or another role of
            `tf_distill.distillation.tapped`.
        loss: a loss for that signal, such as `HiddenMSE` or `AttentionMSE`.
        layer_map: see `tf_distill.distillation.layer_map`.
        weight: float, of this term in the total.
        projection: bool, whether to learn W_h (TinyBERT, eq. 8).
        name: of the term in the logs, the signal's by default.

    Example:
        >>> import tf_distill as td
        >>> match = td.LayerMatch(
        ...     "hidden_states", td.losses.HiddenMSE(), projection=True)
        >>> match.name
        'hidden_states'

    Reference: Jiao et al. 2020, eq. 6 to 8.
    """

    def __init__(
        self,
        signal,
        loss,
        *,
        layer_map="uniform",
        weight=1.0,
        projection=False,
        name=None,
    ):
        super().__init__(
            loss, weight=weight, projection=projection, name=name or signal
        )
        self.signal = signal
        self.layer_map = layer_map

    def signals(self, student, teacher):
        ours, theirs = tap_points(student), tap_points(teacher)
        for model, points in ((student, ours), (teacher, theirs)):
            if points is None:
                raise ValueError(
                    f"The match {self.name!r} needs encoder blocks, but "
                    f"{model.name!r} has no encoder of a known kind."
                )
        pairs = layer_map(self.layer_map, len(ours.blocks), len(theirs.blocks))
        return [(f"{self.signal}/{s}", f"{self.signal}/{t}") for s, t in pairs]


def _check_loss(loss, name):
    """Raises unless a match can take a loss' value of every example."""
    if not isinstance(loss, losses.DistillationLoss):
        known = ", ".join(f"{n}()" for n in losses.__all__ if n[0].isupper())
        known = known.replace("DistillationLoss(), ", "")
        raise ValueError(
            f"The match {name!r} got the loss {loss!r}, but needs a "
            f"`tf_distill.losses.DistillationLoss`: {known}, or a subclass of "
            "your own."
        )
    if loss.reduction != keras.losses.Loss().reduction:
        raise ValueError(
            f"The match {name!r} got a loss with reduction "
            f"{loss.reduction!r}, which it would not use: the Distiller takes "
            "the mean over the examples. Leave out `reduction`, and scale the "
            "term with `weight`."
        )
