"""TinyBERT's classification head."""

import keras

from tf_distill.models.bert_text_classifier import BertTextClassifier


@keras.saving.register_keras_serializable(package="tf_distill")
class TinyBertTextClassifier(BertTextClassifier):
    """BERT with TinyBERT's head: a dense layer on the ReLU of the pooled [CLS].

    The encoder is BERT's in other sizes. The head's ReLU, and its lack of
    dropout, are in TinyBERT's published code and not in the paper. A BERT
    head's weights would give other logits here, so `from_preset` of a Hugging
    Face or KerasHub checkpoint needs `num_classes` and makes a new head.

    Args:
        backbone: `BertBackbone`.
        num_classes: int, number of logits.
        **kwargs: as for `BertTextClassifier`; `dropout` has no effect here.

    Example:
        >>> from tf_distill.models import TinyBertTextClassifier
        >>> student = TinyBertTextClassifier.from_preset(
        ...     "tiny_bert_4l_312d", load_weights=False, num_classes=2)
        >>> f"{student.backbone.count_params():,}"
        '14,350,248'

    Reference: Jiao et al. 2020, https://arxiv.org/abs/1909.10351.
    """

    has_published_head = False

    def features(self, outputs):
        """What the head reads, `(B, D)`, from what the backbone returns."""
        return keras.ops.relu(outputs["pooled_output"])
