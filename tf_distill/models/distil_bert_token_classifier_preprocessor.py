"""Cuts labelled words into word pieces, for DistilBERT."""

import keras
import keras_hub

from tf_distill.models.distil_bert_backbone import DistilBertBackbone
from tf_distill.models.token_classifier_preprocessor import (
    TokenClassifierPreprocessor,
)


@keras.saving.register_keras_serializable(package="tf_distill")
class DistilBertTokenClassifierPreprocessor(
    TokenClassifierPreprocessor,
    keras_hub.models.DistilBertTextClassifierPreprocessor,
):
    """[CLS] words [SEP], with the label of each word on its first piece.

    Its other pieces, [CLS], [SEP] and padding get -100, which the losses leave
    out. A word of no piece, such as a lone control character, has no token.
    Texts are cut and packed as KerasHub's preprocessor does.

    Args:
        tokenizer: `keras_hub.models.DistilBertTokenizer`.
        **kwargs: as for KerasHub's `DistilBertTextClassifierPreprocessor`.

    Call arguments:
        x: words: a list of lists of str, a ragged tensor, or `(B, W)` filled
            up with ""; or texts: a list of str. Words without labels by name.
        y: numbers of classes, one a word, in rows like those of `x`; -100 for
            a word without a label, and where `x` is filled up.
        sample_weight: one a word, or, for a loss that takes it, one a row.

    Returns:
        The inputs alone, or with labels, int, `(B, T)`, and weights, if given.

    Raises:
        ValueError: rows of more or fewer labels than words, an empty word, or
            a tokenizer that pads.

    Example:
        >>> import keras_hub
        >>> from tf_distill import models
        >>> words = "[PAD] [UNK] [CLS] [SEP] [MASK] the ##re cat".split()
        >>> preprocessor = models.DistilBertTokenClassifierPreprocessor(
        ...     keras_hub.models.DistilBertTokenizer(words), sequence_length=6)
        >>> inputs, labels = preprocessor([["there", "cat"]], [[0, 1]])
        >>> inputs["token_ids"].numpy(), labels.numpy()
        (array([[2, 5, 6, 7, 3, 0]], dtype=int32),
         array([[-100,    0, -100,    1, -100, -100]], dtype=int32))
    """

    backbone_cls = DistilBertBackbone
    has_segments = False
