"""Shows that a BERT's weights are read rightly: NumPy computes it, too.

Copy this file along with the recipe that you copy.

Letters in shapes: `T` tokens, `H` heads, `D` width, `d` width of a head.
"""

HEADS = 12


def parity(folder, tokenizer):
    """Largest difference of what our encoder returns from a NumPy BERT's.

    Args:
        folder: path of a Hugging Face BERT of 12 heads.
        tokenizer: its tokenizer.

    Returns:
        float, over hidden states and pooled ones of two texts.

    Raises:
        ValueError: it is 1e-4 or more.
    """
    import keras
    import numpy as np
    import safetensors.numpy

    import tf_distill as td

    weights = safetensors.numpy.load_file(folder / "model.safetensors")
    weights = {name: w.astype("float64") for name, w in weights.items()}
    backbone = td.models.BertBackbone.from_preset(folder, dtype="float32")
    texts = ["Driverless cars? No, thank you!", "So excited for my new phone"]
    encoded = td.data.encode(texts, tokenizer, max_length=16)
    largest = 0.0
    for row, length in enumerate(encoded.lengths):
        batch = encoded.pad([row], 16)
        token_ids = batch["token_ids"][0, :length]
        hidden, pooled = bert(weights, token_ids, backbone.num_layers)
        ours = backbone(batch, training=False)
        for found, expected in (
            (ours["sequence_output"][0, :length], hidden),
            (ours["pooled_output"], pooled),
        ):
            found = keras.ops.convert_to_numpy(found)
            largest = max(largest, float(np.abs(found - expected).max()))
    if not largest < 1e-4:
        raise ValueError(
            f"The teacher's outputs differ by {largest:.1e} from those that "
            f"NumPy computes from {folder}: the weights were read wrongly."
        )
    return largest


def bert(weights, token_ids, num_layers):
    """The encoder of Devlin et al. (2018), of a single text without padding.

    Args:
        weights: dict of arrays, named as Hugging Face does.
        token_ids: `(T,)`.
        num_layers: int.

    Returns:
        Hidden states, `(T, D)`, and the pooled one, `(1, D)`.
    """
    import numpy as np
    from scipy.special import erf

    def dense(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-12)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def heads(x):  # (T, D) to (H, T, d)
        return x.reshape(len(x), HEADS, -1).transpose(1, 0, 2)

    x = (
        weights["embeddings.word_embeddings.weight"][token_ids]
        + weights["embeddings.position_embeddings.weight"][: len(token_ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = norm(x, "embeddings.LayerNorm")
    for index in range(num_layers):
        layer = f"encoder.layer.{index}."
        q, k, v = (
            heads(dense(x, f"{layer}attention.self.{name}"))
            for name in ("query", "key", "value")
        )
        scores = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]))
        context = scores / scores.sum(-1, keepdims=True) @ v  # (H, T, d)
        context = context.transpose(1, 0, 2).reshape(x.shape)
        context = dense(context, f"{layer}attention.output.dense")
        x = norm(x + context, f"{layer}attention.output.LayerNorm")
        y = dense(x, f"{layer}intermediate.dense")
        y = dense(y * (1 + erf(y / 2**0.5)) / 2, f"{layer}output.dense")
        x = norm(x + y, f"{layer}output.LayerNorm")
    return x, np.tanh(dense(x[:1], "pooler.dense"))
