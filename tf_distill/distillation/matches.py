"""What a Distiller compares: a signal of the student with one of the teacher.

Letters: B batch, P masked positions, V words.
"""

from tf_distill.distillation.compatibility import check_label_names
from tf_distill.distillation.layer_maps import layer_map
from tf_distill.distillation.match import PADDING_MASK, Match
from tf_distill.distillation.tapped import EMBEDDINGS, OUTPUT
from tf_distill.models.tap_points import tap_points


class LogitMatch(Match):
    """Compares what the two models return.

    Args:
        loss: a loss on logits, such as `SoftCrossEntropy`.
        weight: float, of this term in the total.
        output: str, which of a model's outputs, where it has several; or a
            pair, the student's and the teacher's. None is the only one.
        where: str, the input of the batch that is 1 at the positions that
            count, where there are logits for several positions, as in
            `(B, P, V)`. None is `padding_mask`, or `mask_weights` where the
            student reads `mask_positions`.
        teacher: str, the teacher's name, where there are several.
        name: of the term in the logs; `"logits"`, after the teacher's and the
            output's names if these are given.

    Raises:
        ValueError: from the Distiller: no such output, several and none
            named, other classes; in the first step, no such input.

    Example:
        >>> import tf_distill as td
        >>> match = td.LogitMatch(
        ...     td.losses.SoftCrossEntropy(temperature=2.0), weight=0.5)
        >>> match.name
        'logits'
        >>> td.LogitMatch(td.losses.SoftKLDivergence(), output="start").name
        'start_logits'
    """

    def __init__(
        self,
        loss,
        *,
        weight=1.0,
        output=None,
        where=None,
        teacher=None,
        name=None,
    ):
        pair = output if isinstance(output, (tuple, list)) else (output,) * 2
        super().__init__(
            loss,
            weight=weight,
            teacher=teacher,
            name=name,
            default_name=f"{pair[0]}_logits" if pair[0] else "logits",
        )
        self.outputs_named = tuple(pair)
        self._where = where

    def signals(self, student, teacher):
        return [
            tuple(f"{OUTPUT}/{x}" if x else OUTPUT for x in self.outputs_named)
        ]

    def connect(self, student, teacher):
        if self.outputs_named == (None, None):
            check_label_names(student, teacher)
        super().connect(student, teacher)
        self.where = self._where or PADDING_MASK
        inputs = student.input if isinstance(student.input, dict) else {}
        if self._where is None and "mask_positions" in inputs:
            self.where = "mask_weights"

    def check(self, student, teacher):
        ((ours, theirs),) = self.pairs
        for whose, output in (
            ("student", student[ours]),
            ("teacher", teacher[theirs]),
        ):
            if isinstance(output, (dict, list, tuple)):
                raise ValueError(
                    f"The match {self.name!r} compares one output of each "
                    f"model, but the {whose} has {len(output)}: say which "
                    f"with `output`{_names(output)}; or, if these are an "
                    "encoder's, put a head on it, as "
                    "`tf_distill.models.BertTextClassifier` does."
                )
        super().check(student, teacher)


class EmbeddingMatch(Match):
    """Compares the embeddings, what the first block reads.

    Args:
        loss: a loss on hidden states, such as `HiddenMSE`.
        weight: float, of this term in the total.
        projection: bool, whether to learn W_e (TinyBERT, eq. 9).
        teacher: str, the teacher's name, where there are several.
        name: of the term in the logs; `"embeddings"`, after the teacher's name
            if one is given.

    Example:
        >>> import tf_distill as td
        >>> match = td.EmbeddingMatch(td.losses.HiddenMSE(), projection=True)
        >>> match.name
        'embeddings'
    """

    def __init__(
        self, loss, *, weight=1.0, projection=False, teacher=None, name=None
    ):
        super().__init__(
            loss,
            weight=weight,
            projection=projection,
            teacher=teacher,
            name=name,
            default_name=EMBEDDINGS,
        )

    def signals(self, student, teacher):
        return [(EMBEDDINGS, EMBEDDINGS)]


class LayerMatch(Match):
    """Compares a signal of blocks; the sum over the blocks of a layer map.

    Args:
        signal: `"hidden_states"`, `"attention_scores"`, `"queries"`,
            `"keys"` or `"values"`; or `"attention_distributions"`.
        loss: a loss for that signal: of hidden states `HiddenMSE`,
            `HiddenCosine`, `ClsDistance` or a feature-map loss; of attention
            scores `AttentionMSE` or `AttentionKL`; of attention distributions
            `AttentionMSE` (`AttentionKL` makes them of the scores itself); of
            queries, keys and values `RelationKL`.
        layer_map: see `tf_distill.distillation.layer_map`.
        weight: float, of this term in the total.
        projection: True to learn one W_h (TinyBERT, eq. 8), `"each"` to learn
            one for each pair of blocks.
        teacher: str, the teacher's name, where there are several.
        name: of the term in the logs; the signal's, after the teacher's name if
            one is given.

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
        teacher=None,
        name=None,
    ):
        super().__init__(
            loss,
            weight=weight,
            projection=projection,
            teacher=teacher,
            name=name,
            default_name=signal,
        )
        self.signal = signal
        self.layer_map = layer_map

    def signals(self, student, teacher):
        ours, theirs = tap_points(student), tap_points(teacher)
        for model, points in ((student, ours), (teacher, theirs)):
            if points is None:
                raise ValueError(
                    f"The match {self.name!r} needs encoder blocks, but "
                    f"{model.name!r} has no encoder of a known kind. Compare "
                    "layers by their names: `SignalMatch('layer/NAME', ...)`."
                )
        pairs = layer_map(self.layer_map, len(ours.blocks), len(theirs.blocks))
        return [(f"{self.signal}/{s}", f"{self.signal}/{t}") for s, t in pairs]


class SignalMatch(Match):
    """Compares any one signal of the student with any one of the teacher.

    For models of one's own, and for signals of different kinds.

    Args:
        student_signal, teacher_signal: str, see
            `tf_distill.distillation.tapped`, such as `"hidden_states/3"` or
            `"layer/dense_1"`, what the layer of that name returns.
        loss: a loss for such signals. Where they are `(B, T, ...)`, an input
            `padding_mask` of the batch says which positions count.
        weight: float, of this term in the total.
        projection: bool, whether to learn a matrix to the teacher's width.
        teacher: str, the teacher's name, where there are several.
        name: of the term in the logs; the student's signal, after the
            teacher's name if one is given.

    Example:
        >>> import tf_distill as td
        >>> match = td.SignalMatch(
        ...     "layer/encoded", "hidden_states/11", td.losses.HiddenMSE())
        >>> match.name
        'layer_encoded'
    """

    def __init__(
        self,
        student_signal,
        teacher_signal,
        loss,
        *,
        weight=1.0,
        projection=False,
        teacher=None,
        name=None,
    ):
        super().__init__(
            loss,
            weight=weight,
            projection=projection,
            teacher=teacher,
            name=name,
            default_name=student_signal.replace("/", "_"),
        )
        self._names = (student_signal, teacher_signal)

    def signals(self, student, teacher):
        return [self._names]


def _names(outputs):
    """Of a dict's outputs, for a message."""
    if not isinstance(outputs, dict):
        return ""
    return f", one of {', '.join(outputs)}"
