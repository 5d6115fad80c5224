"""BERT with a classification head.

Letters: B batch, T tokens, C classes.
"""

import keras
import keras_hub

from tf_distill.models import presets
from tf_distill.models.accepts_tokens import AcceptsTokens
from tf_distill.models.bert_backbone import BertBackbone


@keras.saving.register_keras_serializable(package="tf_distill")
class BertTextClassifier(AcceptsTokens, keras_hub.models.TextClassifier):
    """Dropout and a dense layer on BERT's pooled [CLS].

    Serves classes, several labels at once and scores alike: it gives logits,
    `(B, C)`, and the loss says what they mean. A score has `num_classes=1`.

    Args:
        backbone: `BertBackbone`.
        num_classes: int, C.
        preprocessor: `keras_hub.models.BertTextClassifierPreprocessor`, or
            None for inputs that are token ids already.
        dropout: float, before the head.
        label_names: the C class names in the order of the logits, or None.

    Inputs: the backbone's. Outputs: logits, `(B, C)`.

    Raises:
        ValueError: `label_names` is not as long as `num_classes`.

    Example:
        >>> from tf_distill.models import BertTextClassifier
        >>> classifier = BertTextClassifier.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False, num_classes=3)
        >>> classifier.output_shape
        (None, 3)

    Reference: Devlin et al. 2019, section 4.1.
    """

    backbone_cls = BertBackbone
    preprocessor_cls = keras_hub.models.BertTextClassifierPreprocessor
    # Whether the heads of Hugging Face's and KerasHub's BERT compute the same.
    has_bert_head = True

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
        pooled = backbone(backbone.input)["pooled_output"]
        logits = self.head(self.pooled_features(pooled))
        super().__init__(inputs=backbone.input, outputs=logits, **kwargs)

        # === Config ===
        self.num_classes = num_classes
        self.dropout = dropout
        self.label_names = None if label_names is None else list(label_names)

    def pooled_features(self, pooled):
        """What the head reads, from the pooled output, `(B, D)`."""
        return self.head_dropout(pooled)

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
            preset: as for `BertBackbone.from_preset`. A fine-tuned Hugging
                Face or Keras checkpoint brings its head and its label names.
            load_weights: bool, False gives random weights.
            **kwargs: `num_classes`, `dropout`, `label_names`, `preprocessor`;
                the rest goes to the backbone. A given `num_classes` makes a
                new, random head.

        Returns:
            `BertTextClassifier`.

        Raises:
            ValueError: nothing of that name, weights that do not fit, or a
                checkpoint without a head and no `num_classes`.
        """
        return presets.load_text_classifier(cls, preset, load_weights, **kwargs)
