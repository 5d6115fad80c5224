"""DistilBERT with a classification head on every token."""

import keras

from tf_distill.models.distil_bert_backbone import DistilBertBackbone
from tf_distill.models.distil_bert_token_classifier_preprocessor import (
    DistilBertTokenClassifierPreprocessor,
)
from tf_distill.models.token_classifier import TokenClassifier


@keras.saving.register_keras_serializable(package="tf_distill")
class DistilBertTokenClassifier(TokenClassifier):
    """Dropout and a dense layer on each of DistilBERT's last hidden states.

    Args:
        backbone: `DistilBertBackbone`.
        num_classes: int, C.
        preprocessor: `DistilBertTokenClassifierPreprocessor`, or None for
            inputs that are token ids already.
        dropout: float, before the logits.
        label_names: the C class names in the order of the logits, or None.

    Inputs: the backbone's. Outputs: logits, `(B, T, C)`; those of padding
    mean nothing: label them -100.

    Example:
        >>> from tf_distill.models import DistilBertTokenClassifier
        >>> classifier = DistilBertTokenClassifier.from_preset(
        ...     "distil_bert_4l_768d", load_weights=False, num_classes=5,
        ...     vocabulary_size=100,
        ...     num_layers=1, hidden_dim=24)
        >>> classifier.output_shape
        (None, None, 5)

    Reference: Sanh et al. 2019, and its published code.
    """

    backbone_cls = DistilBertBackbone
    preprocessor_cls = DistilBertTokenClassifierPreprocessor
