"""Keras layers that the encoders are made of."""

from tf_distill.layers.attention_scores import AttentionScores
from tf_distill.layers.dense import Dense
from tf_distill.layers.dot_product_attention import DotProductAttention
from tf_distill.layers.encoder_block import encoder_block
from tf_distill.layers.mobile_bert_block import mobile_bert_block
from tf_distill.layers.no_norm import NoNorm
from tf_distill.layers.position_embedding import PositionEmbedding
from tf_distill.layers.trigram_embedding import TrigramEmbedding

__all__ = [
    "AttentionScores",
    "Dense",
    "DotProductAttention",
    "NoNorm",
    "PositionEmbedding",
    "TrigramEmbedding",
    "encoder_block",
    "mobile_bert_block",
]
