"""Keras layers that the encoders are made of."""

from tf_distill.layers.attention_scores import AttentionScores
from tf_distill.layers.dot_product_attention import DotProductAttention
from tf_distill.layers.encoder_block import encoder_block

__all__ = ["AttentionScores", "DotProductAttention", "encoder_block"]
