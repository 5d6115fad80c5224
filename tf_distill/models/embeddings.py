"""The embeddings that every encoder has.

Under mixed precision they are looked up and added in float32: in half
precision Keras would first cast the whole table, every step, to read a few
hundred of its rows.
"""

import keras

from tf_distill.layers import PositionEmbedding


def embedding_dtype(dtype):
    """The dtype in which embeddings are looked up, added and normalized.

    Args:
        dtype: the encoder's dtype policy, None for the global one.

    Example:
        >>> from tf_distill.models.embeddings import embedding_dtype
        >>> embedding_dtype("mixed_bfloat16")
        'float32'
    """
    policy = keras.dtype_policies.get(dtype)
    if isinstance(policy, keras.dtype_policies.DTypePolicyMap):
        # A quantized encoder's, which has a policy for each of its layers.
        return keras.dtype_policies.DTypePolicyMap(
            policy.variable_dtype, dict(policy)
        )
    return policy.variable_dtype


def token_embedding(vocabulary_size, width, dtype):
    """Word pieces' embeddings; a masked LM also scores words by them."""
    return keras.layers.ReversibleEmbedding(
        vocabulary_size,
        width,
        embeddings_initializer=_initializer(),
        dtype=embedding_dtype(dtype),
        name="token_embedding",
    )


def position_embedding(max_sequence_length, dtype):
    """Positions' embeddings, as wide as what they are added to."""
    return PositionEmbedding(
        max_sequence_length,
        initializer=_initializer(),
        dtype=embedding_dtype(dtype),
        name="position_embedding",
    )


def segment_embedding(num_segments, width, dtype):
    """Segments' embeddings."""
    return keras.layers.Embedding(
        num_segments,
        width,
        embeddings_initializer=_initializer(),
        dtype=embedding_dtype(dtype),
        name="segment_embedding",
    )


def add_embeddings(embeddings, dtype):
    """The sum of symbolic embeddings, `(B, T, D)` each."""
    return keras.layers.Add(
        dtype=embedding_dtype(dtype), name="embeddings_add"
    )(embeddings)


def _initializer():
    return keras.initializers.TruncatedNormal(stddev=0.02)
