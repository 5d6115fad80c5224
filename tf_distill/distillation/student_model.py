"""A student that gives its inner tensors while it is trained or tested."""

import contextlib
import contextvars
import functools

import keras
from keras import tree

from tf_distill.distillation.batch import needed
from tf_distill.distillation.compiled_metrics import metrics_of, results
from tf_distill.distillation.distribution import (
    build_optimizer,
    check_accumulation,
)
from tf_distill.distillation.held_model import HeldModel
from tf_distill.models.checked_data import checked
from tf_distill.models.token_checks import check_tokens
from tf_distill.models.trains_part import TrainsPart

# Whether the student is to return its inner tensors: during a training or
# test step, not when somebody else calls it. A context variable, as replicas
# of a distribution strategy run their steps in threads of their own.
_tapping = contextvars.ContextVar("tapping", default=False)


class Hidden:
    """Keeps a model from Keras' attribute tracking, and so from checkpoints."""

    def __init__(self, value):
        self.value = value


class StudentModel(TrainsPart, HeldModel):
    """Is its student, but for what it returns inside a step; base of Distiller.

    Its weights are saved, never itself as a model: what a subclass needs
    beside the student belongs to nobody's file.

    Args:
        student: functional `keras.Model`.
        taps: the student, `tapped`.
        held: `HeldSteps`, or None without a teacher.
        name: of the model.
    """

    def __init__(self, student, taps, held=None, name=None):
        # Of a float16 student Keras then scales the loss, which would else
        # lose its smallest gradients.
        super().__init__(held, name=name, dtype=student.dtype_policy)
        self.student = student
        self._student_taps = Hidden(taps)
        self.built = True

    @property
    def output_names(self):
        """The student's; Keras names losses and metrics after them."""
        return self.student.output_names

    def call(self, inputs, training=None):
        model = self._student_taps.value if _tapping.get() else self.student
        return model(needed(model, inputs), training=training)

    def train_step(self, *args):
        with _taps_returned():
            return super().train_step(*args)

    def test_step(self, *args):
        with _taps_returned():
            return super().test_step(*args)

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        # Keras keeps what an earlier call gave and this one leaves out, so
        # that a loss on labels would stay.
        self.loss = self._compile_loss = self._compile_metrics = None
        super().compile(
            optimizer,
            loss,
            loss_weights,
            metrics_of(metrics),
            metrics_of(weighted_metrics),
            **kwargs,
        )
        check_accumulation(self)

    def make_train_function(self, force=False):
        # As late as can be: what is trainable may change after `compile`.
        build_optimizer(self)
        return super().make_train_function(force)

    def get_metrics_result(self):
        compiled = self._compile_metrics
        if compiled is not None and not compiled.built:  # no labels yet
            return results(self.metrics, but=compiled)
        return super().get_metrics_result()

    def check_tokens(self, inputs):
        """Raises where data holds ids that the student cannot read."""
        check_tokens(self.student, inputs)

    def check_evaluation(self):
        """Raises where `evaluate` would have nothing to tell."""

    def fit(self, x=None, *args, **kwargs):
        validation = kwargs.get("validation_data")
        if validation is not None or kwargs.get("validation_split"):
            self.check_evaluation()
        for callback in tree.flatten(kwargs.get("callbacks")):
            if isinstance(callback, keras.callbacks.ModelCheckpoint):
                # Else it would fail after the first epoch only.
                if not callback.save_weights_only:
                    self.get_config()
        with checked(self.check_tokens, x, validation) as (x, validation):
            if validation is not None:
                kwargs["validation_data"] = validation
            return super().fit(x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        self.check_evaluation()
        with checked(self.check_tokens, x) as (x,):
            return super().evaluate(x, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        check = functools.partial(check_tokens, self.student)
        with checked(check, x) as (x,):
            return super().predict(x, *args, **kwargs)

    def save(self, *args, **kwargs):
        self.get_config()  # refused before Keras has opened the file

    def get_config(self):
        raise ValueError(
            "A Distiller is not saved as a model, since it would hold the "
            "teacher: save `distiller.student`, or the training state with "
            "`distiller.save_weights` or, while training, with "
            "`ModelCheckpoint(..., save_weights_only=True)`."
        )


@contextlib.contextmanager
def _taps_returned():
    token = _tapping.set(True)
    try:
        yield
    finally:
        _tapping.reset(token)
