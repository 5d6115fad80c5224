"""What the token classifiers of this package have in common.

Letters: B batch, T tokens, D hidden width, C classes.
"""

import keras
import keras_hub

from tf_distill.layers import Dense
from tf_distill.models import presets
from tf_distill.models.accepts_tokens import AcceptsTokens
from tf_distill.models.checked_data import raised_again
from tf_distill.models.encoder import (
    check_encoder,
    check_preprocessor,
    last_hidden_states,
)
from tf_distill.models.text_classifier import check_label_names
from tf_distill.models.token_classifier_preprocessor import (
    check_takes_words,
    with_numbers,
)
from tf_distill.models.trains_part import LeavesPooler
from tf_distill.models.weighted_cross_entropy import (
    CountedAccuracy,
    WeightedCrossEntropy,
)
from tf_distill.models.word_labels import are_words, padded


class TokenClassifier(AcceptsTokens, LeavesPooler, keras_hub.models.Task):
    """Base of the token classifiers: dropout and a dense layer on each token.

    Of words, lists of str, with a label each the preprocessor makes what it
    trains on: `fit`, `evaluate` and `preprocess_samples` take lists of them,
    padded arrays, and datasets of ragged or padded batches. Labels are numbers
    of classes, or their `label_names`. Of token ids they are numbers, `(B, T)`.
    Padding has logits too, which mean nothing, as have those of [CLS] and
    [SEP]: labels of -100 do not count, nor does a `sample_weight` of 0.

    Args:
        backbone: `tf_distill.models.encoder.Encoder`.
        num_classes: int, C.
        preprocessor: of `preprocessor_cls`, or None for inputs that are token
            ids already.
        dropout: float, before the logits.
        label_names: the C class names in the order of the logits, or None.

    Inputs: the backbone's. Outputs: logits, `(B, T, C)`.

    Raises:
        ValueError: `label_names` is not as long as `num_classes`.
    """

    hugging_face_head = "ForTokenClassification"
    has_published_head = True
    reads_pooler = False
    keras_hub_cls = None

    def __init__(
        self,
        backbone,
        num_classes,
        preprocessor=None,
        dropout=0.1,
        label_names=None,
        **kwargs,
    ):
        check_label_names(label_names, num_classes)
        check_encoder(self, backbone)
        check_preprocessor(self, backbone, preprocessor)

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="head_dropout"
        )
        self.head = Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=backbone.dtype_policy.variable_dtype,
            name="logits",
        )

        # === Functional Model ===
        x = last_hidden_states(backbone(backbone.input))
        logits = self.head(self.head_dropout(x))
        super().__init__(inputs=backbone.input, outputs=logits, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.dropout = dropout
        self.label_names = None if label_names is None else list(label_names)

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        weighted_metrics="auto",
        **kwargs,
    ):
        """Keras', with what a token classifier is trained with for "auto".

        Args:
            optimizer: `"auto"` is Adam at 5e-5.
            loss: `"auto"` is the cross-entropy on class indices, its mean
                over the labels that are not -100, weighted by the
                `sample_weight`, `(B, T)`; one a row is refused.
            weighted_metrics: `"auto"` is the accuracy, of the same labels.
            **kwargs: see `keras.Model.compile`.
        """
        if optimizer == "auto":
            optimizer = keras.optimizers.Adam(5e-5)
        if loss == "auto":
            loss = WeightedCrossEntropy()
        if weighted_metrics == "auto":
            weighted_metrics = [CountedAccuracy()]
        super().compile(
            optimizer, loss, weighted_metrics=weighted_metrics, **kwargs
        )

    def preprocess_samples(self, x, y=None, sample_weight=None):
        if are_words(x):
            check_takes_words(self)
        if are_words(x) and y is not None:
            x, y, sample_weight = with_numbers(
                x,
                y,
                sample_weight,
                self.num_classes,
                self.label_names,
                self._refused,
            )
        return super().preprocess_samples(x, y, sample_weight)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        sample_weight=None,
        validation_data=None,
        **kwargs,
    ):
        x, y, sample_weight = _arrays(x, y, sample_weight)
        if isinstance(validation_data, (tuple, list)):
            validation_data = _arrays(*validation_data)
        given = {"sample_weight": sample_weight, "batch_size": batch_size}
        given["validation_data"] = validation_data
        with raised_again(self._refused):
            return super().fit(x, y, **given, **kwargs)

    def evaluate(
        self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs
    ):
        x, y, sample_weight = _arrays(x, y, sample_weight)
        given = {"sample_weight": sample_weight, "batch_size": batch_size}
        with raised_again(self._refused):
            return super().evaluate(x, y, **given, **kwargs)

    def predict(self, x, *args, **kwargs):
        with raised_again(self._refused):
            return super().predict(_arrays(x)[0], *args, **kwargs)

    @property
    def _refused(self):
        """Errors of the preprocessor, see there."""
        return getattr(self.preprocessor, "refused", [])

    def get_config(self):
        config = super().get_config()
        config.update(
            num_classes=self.num_classes,
            dropout=self.dropout,
            label_names=self.label_names,
        )
        return config

    @classmethod
    def from_preset(cls, preset, load_weights=True, **kwargs):
        """Builds the classifier from a name, a folder or a handle.

        Args:
            preset: as for the encoder's `from_preset`. A fine-tuned Hugging
                Face or Keras checkpoint brings its head and its label names.
            load_weights: bool, False gives random weights.
            **kwargs: this class's arguments; the rest goes to the backbone. A
                given `num_classes` makes a new, random head.

        Returns:
            A classifier of this class.

        Raises:
            ValueError: nothing of that name, weights that do not fit, or a
                checkpoint without a head and no `num_classes`.
        """
        return presets.load_task(cls, preset, load_weights, **kwargs)


def _arrays(x, y=None, sample_weight=None):
    """Rows of words, and what goes with them, as Keras takes them."""
    if not are_words(x):
        return x, y, sample_weight
    return padded(x, y, sample_weight)
