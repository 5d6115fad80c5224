"""Encoders and tasks, as `keras_hub` backbones and tasks."""

from tf_distill.models.architectures import ARCHITECTURES
from tf_distill.models.bert_backbone import BertBackbone
from tf_distill.models.bert_text_classifier import BertTextClassifier
from tf_distill.models.tiny_bert_text_classifier import TinyBertTextClassifier

__all__ = [
    "ARCHITECTURES",
    "BertBackbone",
    "BertTextClassifier",
    "TinyBertTextClassifier",
]
