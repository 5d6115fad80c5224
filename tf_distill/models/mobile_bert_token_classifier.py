"""MobileBERT with a classification head on every token."""

import keras

from tf_distill.models.bert_token_classifier_preprocessor import (
    BertTokenClassifierPreprocessor,
)
from tf_distill.models.mobile_bert_backbone import MobileBertBackbone
from tf_distill.models.token_classifier import TokenClassifier


@keras.saving.register_keras_serializable(package="tf_distill")
class MobileBertTokenClassifier(TokenClassifier):
    """Dropout and a dense layer on each of MobileBERT's last hidden states.

    Args:
        backbone: `MobileBertBackbone`.
        num_classes: int, C.
        preprocessor: `BertTokenClassifierPreprocessor`, or None for inputs
            that are token ids already.
        dropout: float, before the logits.
        label_names: the C class names in the order of the logits, or None.

    Inputs: the backbone's. Outputs: logits, `(B, T, C)`; those of padding
    mean nothing: label them -100.

    Example:
        >>> from tf_distill.models import MobileBertTokenClassifier
        >>> classifier = MobileBertTokenClassifier.from_preset(
        ...     "mobile_bert_24l_512d", load_weights=False, num_classes=5,
        ...     vocabulary_size=100,
        ...     num_layers=1)
        >>> classifier.output_shape
        (None, None, 5)

    Reference: Sun et al. 2020, and its published code.
    """

    backbone_cls = MobileBertBackbone
    preprocessor_cls = BertTokenClassifierPreprocessor
