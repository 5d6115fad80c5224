"""AdamW whose update of a weight is one operation, after the decay."""

import keras


@keras.saving.register_keras_serializable(package="tf_distill")
class AdamW(keras.optimizers.AdamW):
    """Keras' AdamW, but for how TensorFlow computes it.

    There Keras writes an update as some ten operations, each of which goes
    through all of a weight's memory; this is one, TensorFlow's own of Adam,
    after the weight decay. It also takes the gradient of an embedding for what
    it is, the sum over all places of a word: Keras squares each place's part
    and adds up the squares. On other backends it is Keras' own.

    Args, attributes and state: those of `keras.optimizers.AdamW`.

    Example:
        >>> import keras
        >>> from tf_distill.optimizers import AdamW
        >>> weight = keras.Variable([1.0, 2.0])
        >>> AdamW(0.1, weight_decay=0.0).apply([weight * 3.0], [weight])
        >>> weight.numpy().round(4)
        array([0.9, 1.9], dtype=float32)

    Reference: Loshchilov and Hutter 2019, algorithm 2, without its schedule's
    multiplier; weight decay is multiplied by the learning rate, as in BERT.
    """

    def update_step(self, gradient, variable, learning_rate):
        if keras.config.backend() != "tensorflow" or self.amsgrad:
            return super().update_step(gradient, variable, learning_rate)
        import tensorflow as tf

        def number(value):
            return tf.cast(value, variable.dtype)

        index = self._get_variable_index(variable)
        step = number(self.iterations + 1)
        beta_1, beta_2 = number(self.beta_1), number(self.beta_2)
        return tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=number(learning_rate),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=number(self.epsilon),
            grad=number(tf.convert_to_tensor(gradient)),
        )
