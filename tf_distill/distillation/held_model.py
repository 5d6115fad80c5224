"""A model whose steps do nothing once a teacher's numbers are none."""

import contextvars

import keras
from keras import ops

from tf_distill.distillation.held_steps import RaiseIfHeld

# Whether a training step is traced or run; replicas do so in threads.
_training = contextvars.ContextVar("training", default=False)


class HeldModel(keras.Model):
    """Plain Keras, but for steps that `held` holds; base of StudentModel.

    Args:
        held: `HeldSteps`, which the steps' losses tell what they find; None
            where there is no teacher.
        **kwargs: as for `keras.Model`.
    """

    def __init__(self, held=None, **kwargs):
        super().__init__(**kwargs)
        self.held = held
        self.optimizer = None

    @property
    def optimizer(self):
        """The compiled one; within a step on TensorFlow, held with it."""
        found = self._compiled_optimizer()
        on_tensorflow = keras.config.backend() == "tensorflow"
        if self.held is not None and on_tensorflow and _training.get():
            return _HeldOptimizer(found, self.held)
        return found

    @optimizer.setter
    def optimizer(self, value):
        # Behind a function, as Keras saves an attribute by its name.
        self._compiled_optimizer = lambda: value

    def train_step(self, *args):
        token = _training.set(True)
        try:
            done = super().train_step(*args)
        finally:
            _training.reset(token)
        if len(args) == 1 or self.held is None:  # TensorFlow has no state
            return done
        (before, _), (logs, after) = args, done
        variables = self.non_trainable_variables
        return logs, self.held.state(variables, before, after)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        *args,
        **kwargs,
    ):
        callbacks = self._raising(callbacks)
        return super().fit(
            x, y, batch_size, epochs, verbose, callbacks, *args, **kwargs
        )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        *args,
        **kwargs,
    ):
        some = (x, y, batch_size, verbose, sample_weight, steps)
        callbacks = self._raising(callbacks)
        return super().evaluate(*some, callbacks, *args, **kwargs)

    def train_on_batch(self, *args, **kwargs):
        logs = super().train_on_batch(*args, **kwargs)
        self._check_held()
        return logs

    def test_on_batch(self, *args, **kwargs):
        logs = super().test_on_batch(*args, **kwargs)
        self._check_held()
        return logs

    def _check_held(self):
        if self.held is not None:
            self.held.check()

    def _raising(self, callbacks):
        """Callbacks and, before them, one that raises."""
        if self.held is None:
            return callbacks
        if isinstance(callbacks, keras.callbacks.CallbackList):
            there = [type(callback) for callback in callbacks.callbacks]
            if RaiseIfHeld not in there:  # as it is where `fit` evaluates
                callbacks.append(RaiseIfHeld(self))
            return callbacks
        if not isinstance(callbacks, (list, tuple)):
            callbacks = [] if callbacks is None else [callbacks]
        return [RaiseIfHeld(self), *callbacks]


class _HeldOptimizer:
    """What Keras' step on TensorFlow asks of an optimizer, unless held."""

    def __init__(self, optimizer, held):
        self._optimizer = optimizer
        self._held = held

    def scale_loss(self, loss):
        return self._optimizer.scale_loss(loss)

    def apply_gradients(self, pairs):
        import tensorflow as tf

        gradients, variables = zip(*pairs, strict=True)
        if tf.__internal__.distribute.strategy_supports_no_merge_call():
            self._unless(
                self._held.now(), lambda: self._apply(gradients, variables)
            )
        else:
            tf.distribute.get_replica_context().merge_call(
                self._apply_on_replicas, args=(gradients, variables)
            )

    def _apply(self, gradients, variables):
        self._optimizer.apply(gradients, variables)

    def _apply_on_replicas(self, strategy, gradients, variables):
        # As Keras' LossScaleOptimizer does: the replicas meet in an update,
        # which they cannot within a condition of their own.
        each = strategy.extended.call_for_each_replica
        held = strategy.experimental_local_results(each(self._held.now))[0]
        self._unless(
            held, lambda: each(self._apply, args=(gradients, variables))
        )

    def _unless(self, held, function):
        ops.cond(held, lambda: None, lambda: function() and None)
