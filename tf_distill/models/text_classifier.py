"""What the text classifiers of this package have in common.

Letters: B batch, T tokens, D hidden width, C classes.
"""

import keras
import keras_hub

from tf_distill.models import presets
from tf_distill.models.accepts_tokens import AcceptsTokens


class TextClassifier(AcceptsTokens, keras_hub.models.TextClassifier):
    """Base of the classifiers: a dense layer on features of [CLS].

    Serves classes, several labels at once and scores alike: it gives logits,
    `(B, C)`, and the loss says what they mean. A score has `num_classes=1`.
    A subclass makes the features, in `features`.

    Args:
        backbone: `tf_distill.models.encoder.Encoder`.
        num_classes: int, C.
        preprocessor: of `preprocessor_cls`, or None for inputs that are token
            ids already.
        dropout: float, in the head.
        label_names: the C class names in the order of the logits, or None.

    Raises:
        ValueError: `label_names` is not as long as `num_classes`.
    """

    # Whether Hugging Face's and KerasHub's heads of the encoder compute what
    # this one does, so that theirs can be read.
    has_published_head = True
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
        if label_names is not None and len(label_names) != num_classes:
            raise ValueError(
                f"{num_classes} classes need as many `label_names`, but there "
                f"are {len(label_names)}: {list(label_names)}."
            )

        # === Layers ===
        self.backbone = backbone
        self.preprocessor = preprocessor
        self.head_dropout = keras.layers.Dropout(
            dropout, dtype=backbone.dtype_policy, name="head_dropout"
        )
        # Logits stay in the variables' dtype: a softmax in half precision
        # leaves about two digits of a probability.
        self.head = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=backbone.dtype_policy.variable_dtype,
            name="logits",
        )

        # === Functional Model ===
        logits = self.head(self.features(backbone(backbone.input)))
        super().__init__(inputs=backbone.input, outputs=logits, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.dropout = dropout
        self.label_names = None if label_names is None else list(label_names)

    def features(self, outputs):
        """What the head reads, `(B, D)`, from what the backbone returns."""
        raise NotImplementedError

    def dense(self, width, activation, name):
        """A dense layer of the head, before its logits."""
        return keras.layers.Dense(
            width,
            activation=activation,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=self.backbone.dtype_policy,
            name=name,
        )

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
            **kwargs: `num_classes`, `dropout`, `label_names`, `preprocessor`;
                the rest goes to the backbone. A given `num_classes` makes a
                new, random head.

        Returns:
            A classifier of this class.

        Raises:
            ValueError: nothing of that name, weights that do not fit, or a
                checkpoint without a head and no `num_classes`.
        """
        return presets.load_text_classifier(cls, preset, load_weights, **kwargs)
