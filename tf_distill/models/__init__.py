"""Encoders and tasks, as `keras_hub` backbones and tasks.

To import this package registers its classes with Keras. So `import
tf_distill.models` stands before `keras.saving.load_model` of a `.keras` file;
`import tf_distill` alone loads nothing.
"""

from tf_distill.models.architectures import ARCHITECTURES
from tf_distill.models.bert_backbone import BertBackbone
from tf_distill.models.bert_masked_lm import BertMaskedLM
from tf_distill.models.bert_masked_lm_preprocessor import (
    BertMaskedLMPreprocessor,
)
from tf_distill.models.bert_question_answering import BertQuestionAnswering
from tf_distill.models.bert_question_answering_preprocessor import (
    BertQuestionAnsweringPreprocessor,
)
from tf_distill.models.bert_text_classifier import BertTextClassifier
from tf_distill.models.bert_token_classifier import BertTokenClassifier
from tf_distill.models.bert_token_classifier_preprocessor import (
    BertTokenClassifierPreprocessor,
)
from tf_distill.models.distil_bert_backbone import DistilBertBackbone
from tf_distill.models.distil_bert_masked_lm import DistilBertMaskedLM
from tf_distill.models.distil_bert_question_answering import (
    DistilBertQuestionAnswering,
)
from tf_distill.models.distil_bert_question_answering_preprocessor import (
    DistilBertQuestionAnsweringPreprocessor,
)
from tf_distill.models.distil_bert_text_classifier import (
    DistilBertTextClassifier,
)
from tf_distill.models.distil_bert_token_classifier import (
    DistilBertTokenClassifier,
)
from tf_distill.models.distil_bert_token_classifier_preprocessor import (
    DistilBertTokenClassifierPreprocessor,
)
from tf_distill.models.mobile_bert_backbone import MobileBertBackbone
from tf_distill.models.mobile_bert_masked_lm import MobileBertMaskedLM
from tf_distill.models.mobile_bert_question_answering import (
    MobileBertQuestionAnswering,
)
from tf_distill.models.mobile_bert_text_classifier import (
    MobileBertTextClassifier,
)
from tf_distill.models.mobile_bert_token_classifier import (
    MobileBertTokenClassifier,
)
from tf_distill.models.preset_checks import NewHeadWarning
from tf_distill.models.tiny_bert_text_classifier import TinyBertTextClassifier

__all__ = [
    "ARCHITECTURES",
    "BertBackbone",
    "BertMaskedLM",
    "BertMaskedLMPreprocessor",
    "BertQuestionAnswering",
    "BertQuestionAnsweringPreprocessor",
    "BertTextClassifier",
    "BertTokenClassifier",
    "BertTokenClassifierPreprocessor",
    "DistilBertBackbone",
    "DistilBertMaskedLM",
    "DistilBertQuestionAnswering",
    "DistilBertQuestionAnsweringPreprocessor",
    "DistilBertTextClassifier",
    "DistilBertTokenClassifier",
    "DistilBertTokenClassifierPreprocessor",
    "MobileBertBackbone",
    "MobileBertMaskedLM",
    "MobileBertQuestionAnswering",
    "MobileBertTextClassifier",
    "MobileBertTokenClassifier",
    "NewHeadWarning",
    "TinyBertTextClassifier",
]
