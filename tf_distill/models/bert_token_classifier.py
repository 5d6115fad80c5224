"""BERT with a classification head on every token."""

import keras

from tf_distill.models.bert_backbone import BertBackbone
from tf_distill.models.bert_token_classifier_preprocessor import (
    BertTokenClassifierPreprocessor,
)
from tf_distill.models.token_classifier import TokenClassifier


@keras.saving.register_keras_serializable(package="tf_distill")
class BertTokenClassifier(TokenClassifier):
    """Dropout and a dense layer on each of BERT's last hidden states.

    Nothing reads BERT's pooler, so that training leaves it as it is.

    Args:
        backbone: `BertBackbone`.
        num_classes: int, C.
        preprocessor: `BertTokenClassifierPreprocessor`, or None for inputs
            that are token ids already.
        dropout: float, before the logits.
        label_names: the C class names in the order of the logits, or None.

    Inputs: the backbone's. Outputs: logits, `(B, T, C)`; those of padding
    mean nothing: label them -100.

    Example:
        >>> from tf_distill.models import BertTokenClassifier
        >>> classifier = BertTokenClassifier.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False, num_classes=5,
        ...     vocabulary_size=100)
        >>> classifier.output_shape
        (None, None, 5)

    Reference: Devlin et al. 2019, section 5.3.
    """

    backbone_cls = BertBackbone
    preprocessor_cls = BertTokenClassifierPreprocessor
