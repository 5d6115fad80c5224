"""BERT with an extractive question answering head."""

import keras

from tf_distill.models.bert_backbone import BertBackbone
from tf_distill.models.bert_question_answering_preprocessor import (
    BertQuestionAnsweringPreprocessor,
)
from tf_distill.models.question_answering import QuestionAnswering


@keras.saving.register_keras_serializable(package="tf_distill")
class BertQuestionAnswering(QuestionAnswering):
    """A dense layer that scores each token as an answer's first and last.

    Nothing reads BERT's pooler, so that training leaves it as it is.

    Args:
        backbone: `BertBackbone`.
        preprocessor: `BertQuestionAnsweringPreprocessor`, or None for inputs
            that are token ids already.
        dropout: float, before the logits; BERT has none there.

    Inputs: the backbone's. Outputs: a dict of logits, `start` and `end`,
    float32, `(B, T)` each; -10000 at padding. Labels are a dict alike, of
    positions, `(B,)`.

    Example:
        >>> from tf_distill.models import BertQuestionAnswering
        >>> model = BertQuestionAnswering.from_preset(
        ...     "bert_tiny_2l_128d", load_weights=False, vocabulary_size=100)
        >>> {name: x.shape for name, x in sorted(model.output.items())}
        {'end': (None, None), 'start': (None, None)}

    Reference: Devlin et al. 2019, section 4.2.
    """

    backbone_cls = BertBackbone
    preprocessor_cls = BertQuestionAnsweringPreprocessor
