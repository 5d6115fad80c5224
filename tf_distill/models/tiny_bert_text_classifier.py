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
        preprocessor, label_names, task: as for `BertTextClassifier`.

    Raises:
        ValueError: a `dropout`, or as for `BertTextClassifier`. To
            `from_preset` a `dropout` is the encoder's.

    Example:
        >>> from tf_distill.models import TinyBertTextClassifier
        >>> student = TinyBertTextClassifier.from_preset(
        ...     "tiny_bert_4l_312d", load_weights=False, num_classes=2)
        >>> f"{student.backbone.count_params():,}"
        '14,350,248'

    Reference: Jiao et al. 2020, https://arxiv.org/abs/1909.10351.
    """

    has_published_head = False

    def __init__(
        self,
        backbone,
        num_classes,
        preprocessor=None,
        *,
        label_names=None,
        task=None,
        **kwargs,
    ):
        dropout = kwargs.pop("dropout", 0.0)
        if dropout:
            raise ValueError(
                f"TinyBERT's head has no dropout, but got `dropout={dropout}`: "
                "leave it out. That of the encoder is its own: "
                "`BertBackbone(..., dropout=...)`."
            )
        super().__init__(
            backbone,
            num_classes,
            preprocessor,
            dropout=0.0,
            label_names=label_names,
            task=task,
            **kwargs,
        )

    @classmethod
    def from_config(cls, config):
        # Presets of before hold a number that had no effect.
        return super().from_config({**config, "dropout": 0.0})

    def features(self, outputs):
        """What the head reads, `(B, D)`, from what the backbone returns."""
        return keras.ops.relu(outputs["pooled_output"])
