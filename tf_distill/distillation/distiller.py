"""Trains a student on a teacher's signals in plain Keras `fit`.

Letters: B batch.
"""

import keras
from keras import ops

from tf_distill.distillation.batch import (
    Batch,
    check_labels,
    needed,
    split_signals,
)
from tf_distill.distillation.cached_batches import check_same_teacher
from tf_distill.distillation.compatibility import check_no_tokens
from tf_distill.distillation.compiled_metrics import results, without_teacher
from tf_distill.distillation.distribution import check_scope
from tf_distill.distillation.match import check_matches
from tf_distill.distillation.reached import others, reached
from tf_distill.distillation.side_by_side import side_by_side
from tf_distill.distillation.state_scope import state_scope
from tf_distill.distillation.student_model import Hidden, StudentModel
from tf_distill.distillation.tapped import OUTPUT, tapped
from tf_distill.distillation.teachers import Teachers
from tf_distill.distillation.terms import Terms


class Distiller(StudentModel):
    """A student trained on a teacher's signals, and on labels if you like.

    Overrides `train_step` to consult the teacher, outside the gradient, in
    inference mode and in its own dtype; then the ordinary Keras step runs the
    student once, and the weighted terms are added to the compiled loss:
    `total = compiled loss on the labels + Σ weight · term`. One forward pass
    of each a step, however many terms. Everything else is plain Keras:
    `compile`, `fit`, `evaluate`, callbacks, `sample_weight`, `class_weight`.

    The teacher is written into no checkpoint. Save `distiller.student`.

    Args:
        student: functional `keras.Model` with the weights to train.
        teacher: functional `keras.Model` that reads the same batch; or a dict
            of several by name, of which every match names its own,
            `LogitMatch(..., teacher="large")`, and weighs it.
        losses: list of matches: `EmbeddingMatch`, `LayerMatch`, `LogitMatch`,
            `SignalMatch`. To anneal one, let a callback set its `weight`.
        teacher_inputs: str, for a teacher with another vocabulary: with
            `"teacher_"` it reads the batch's `teacher_token_ids` instead of
            `token_ids`, and so all its inputs. Only what an example has one of
            is compared then: logits, [CLS]. A dict by name, or one for all.
        validate_teacher: bool, whether `evaluate` runs the teacher, so that
            `val_loss` means what `loss` means. False, which is faster, gives
            the compiled loss, if there is one, and metrics only.
        name: of the model.

    Inputs and outputs: the student's. A `padding_mask`, `(B, T)`, or else the
    masks of Keras' own layers say which tokens count; a match may name another
    input. Labels are optional, and compiled metrics are reported where there
    are some; a `sample_weight`, `(B,)`, weighs every term.

    Raises:
        ValueError: no losses, two of one name, a match that does not fit the
            two models (layers, widths, heads, classes, vocabularies), a
            teacher that no match names, a model built outside the strategy's
            scope, or NaN in a weight of the teacher. In a step: a signal of
            the teacher, at a position that counts, that makes its match
            infinite or NaN; the student is as it was before that step.

    Example:
        >>> import keras, numpy as np, tf_distill as td
        >>> def classifier(num_layers):
        ...     return td.models.BertTextClassifier.from_preset(
        ...         "bert_tiny_2l_128d", load_weights=False, num_classes=2,
        ...         num_layers=num_layers, vocabulary_size=10)
        >>> distiller = td.Distiller(
        ...     student=classifier(1), teacher=classifier(2),
        ...     losses=[
        ...         td.LayerMatch("hidden_states", td.losses.HiddenMSE()),
        ...         td.LogitMatch(td.losses.SoftCrossEntropy()),
        ...     ])
        >>> distiller.compile(keras.optimizers.AdamW(3e-5))
        >>> ids = np.array([[2, 5, 3, 0], [2, 6, 7, 3]])
        >>> x = {"token_ids": ids, "segment_ids": 0 * ids,
        ...      "padding_mask": (ids > 0).astype("int32")}
        >>> logs = distiller.fit(x, verbose=0).history
        >>> sorted(logs)  # doctest: +NORMALIZE_WHITESPACE
        ['agreement', 'hidden_states_loss', 'logits_loss', 'loss',
         'student_entropy', 'teacher_entropy']
    """

    def __init__(
        self,
        student,
        teacher,
        losses,
        *,
        teacher_inputs=None,
        validate_teacher=True,
        name=None,
    ):
        check_matches(losses)
        teachers = Teachers(teacher, teacher_inputs)
        teachers.check(student)
        for match in losses:
            match.connect(student, teachers.of(match))
        teachers.check_all_used(losses)
        pairs = [pair for match in losses for pair in match.pairs]
        ours, theirs = map(set, zip(*pairs, strict=True))
        student_taps = tapped(student, sorted(ours - {OUTPUT}))
        network = teachers.network(sorted(theirs))
        terms = Terms(losses)
        for match in losses:
            if teachers.prefixes[match.teacher]:
                check_no_tokens(match, student, student_taps.output)
            match.check(student_taps.output, network.output)
        super().__init__(student, student_taps, terms.held, name=name)
        check_scope(self, [student, *teachers.models.values()])
        for match in losses:  # now that nothing is left to go wrong
            match.own(self, student_taps.output, network.output)
        self.matches = list(losses)
        self.validate_teacher = validate_teacher
        self._teacher_taps = Hidden(network)
        self._teachers = teachers
        self._terms = terms
        # Such as BERT's pooler in a classifier of tokens.
        found = reached(student_taps, [OUTPUT, *(ours - {OUTPUT})])
        self.left_out = others(student, found)
        self._term_trackers = terms.trackers

    @property
    def validate_teacher(self):
        """Whether `evaluate` runs the teacher."""
        return self._validate_teacher

    @validate_teacher.setter
    def validate_teacher(self, value):
        self._validate_teacher = value
        self.test_function = None  # which was traced for the other

    @property
    def teacher(self):
        """The teacher, or a dict of several; not part of the state."""
        models = self._teachers.models
        return models[None] if None in models else dict(models)

    @property
    def teacher_signals(self):
        """Names of the teachers' signals that are matched, sorted."""
        return sorted({theirs for m in self.matches for _, theirs in m.pairs})

    def __dir__(self):
        # Keras saves every attribute that `dir` names, properties too.
        return [name for name in super().__dir__() if name != "teacher"]

    @property
    def non_trainable_variables(self):
        """The student's; on JAX all others, too, that its step must see."""
        ours = super().non_trainable_variables
        if keras.config.backend() != "jax":
            return ours
        weights = [match.term_weight.variable for match in self.matches]
        theirs = self._teachers.variables_beside(self.variables)
        return ours + theirs + weights + [self.held.variable]

    def check_tokens(self, inputs):
        """Raises where one of the models cannot use what data holds."""
        super().check_tokens(inputs)
        check_same_teacher(inputs, self._teachers)
        self._teachers.check_tokens(inputs)

    def train_step(self, *args):
        *state, data = args  # (data,) on TensorFlow, (state, data) on JAX
        return super().train_step(*state, self._consult(data, *state))

    def test_step(self, *args):
        *state, data = args
        if self.validate_teacher:
            data = self._consult(data, *state)
        else:
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
            data = (split_signals(x, ())[0], Batch(y, None), sample_weight)
        return super().test_step(*state, data)

    def _consult(self, data, state=None):
        """The batch with the teacher's signals beside its labels."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        x, signals = split_signals(x, self.teacher_signals)
        if signals is not None:  # from a teacher cache
            self._teachers.check_cached()
            return x, Batch(y, signals), sample_weight
        model = self._teacher_taps.value
        with state_scope(self, state):
            signals = model(needed(model, x), training=False)
        return x, Batch(y, signals), sample_weight

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        building = not isinstance(y, Batch)  # by Keras, of the compiled loss
        labels = y if building else y.labels
        outputs = y_pred if building else y_pred[OUTPUT]
        total = 0.0
        if self.loss is not None or self.losses:
            check_labels(
                self.loss, labels, outputs, sample_weight, self.output_names
            )
            total = super().compute_loss(
                x, labels, outputs, sample_weight, training
            )
        if building or y.signals is None:
            return ops.convert_to_tensor(total, dtype="float32")
        return total + self._terms.total(y_pred, y.signals, x, sample_weight)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if not isinstance(y, Batch):  # Keras building the compiled metrics
            if y is None:
                return {}
            return super().compute_metrics(x, y, y_pred, sample_weight)
        if y.labels is None:
            logs = results(self.metrics, but=self._compile_metrics)
        else:
            logs = super().compute_metrics(
                x, y.labels, y_pred[OUTPUT], sample_weight
            )
        if y.signals is not None:
            return logs
        return without_teacher(logs, self.loss, self._terms.trackers)

    def check_evaluation(self):
        """Raises where `evaluate` would have nothing to tell."""
        if self.compiled and not self.validate_teacher:
            logs = {metric.name: metric for metric in self.metrics}
            without_teacher(logs, self.loss, self._terms.trackers)

    def summary(
        self, line_length=None, positions=None, print_fn=None, **kwargs
    ):
        """Prints a table of the student and the teachers, side by side.

        Args:
            print_fn: function that is given the text, `print` by default.
            line_length, positions, **kwargs: as for `keras.Model.summary`.
                With any of them Keras' own table of the student follows.
        """
        models = self._teachers.models.items()
        teachers = {name or "teacher": model for name, model in models}
        (print_fn or print)(side_by_side({"student": self.student, **teachers}))
        if line_length or positions or kwargs:
            self.student.summary(line_length, positions, print_fn, **kwargs)
