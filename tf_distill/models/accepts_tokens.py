"""Lets a KerasHub task train on batches that are tokenized already."""

import functools

import keras

from tf_distill.models.checked_data import checked
from tf_distill.models.token_checks import check_tokens


class AcceptsTokens:
    """Mixin: token ids and datasets of them pass the preprocessor by.

    A KerasHub task tokenizes whatever `fit` is given. Here a dict with
    `token_ids`, a `tf.data` dataset of such, and any `keras.utils.PyDataset`
    (`tf_distill.data.BucketedBatches`) are taken as they are, and of a dict
    what the model reads: batches have segments, DistilBERT has none. Ids
    that the model has no embedding for, rows of padding and sequences that are
    too long are refused, see `token_checks` and `checked_data`.
    """

    def __call__(self, *args, **kwargs):
        check_tokens(self, args[0] if args else kwargs.get("inputs"))
        return super().__call__(*args, **kwargs)

    def call(self, inputs, training=None, mask=None, **kwargs):
        if isinstance(inputs, dict):
            inputs = {k: v for k, v in inputs.items() if k in self.input}
        return super().call(inputs, training=training, mask=mask, **kwargs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        if isinstance(x, dict) and "token_ids" in x:
            return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        return super().preprocess_samples(x, y, sample_weight)

    def fit(self, x=None, *args, **kwargs):
        validation = kwargs.get("validation_data")
        with self._checked(x, validation) as (x, validation):
            if validation is not None:
                kwargs["validation_data"] = validation
            if not _is_tokenized(x):
                return super().fit(x, *args, **kwargs)
            if isinstance(validation, (tuple, list)):
                # Which KerasHub would tokenize only beside text to train on.
                kwargs["validation_data"] = self.preprocess_samples(*validation)
            return keras.Model.fit(self, x, *args, **kwargs)

    def evaluate(self, x=None, *args, **kwargs):
        with self._checked(x) as (x,):
            if _is_tokenized(x):
                return keras.Model.evaluate(self, x, *args, **kwargs)
            return super().evaluate(x, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        with self._checked(x) as (x,):
            if _is_tokenized(x):
                return keras.Model.predict(self, x, *args, **kwargs)
            return super().predict(x, *args, **kwargs)

    def _checked(self, *data):
        return checked(functools.partial(check_tokens, self), *data)


def _is_tokenized(x):
    if isinstance(x, keras.utils.PyDataset):
        return True
    return isinstance(x, dict) and "token_ids" in x
