"""The written models in `transformers`, and their inner tensors.

Letters: B batch, T tokens, H heads, d width of a head.
"""

import json
import pathlib

import numpy as np


def read_model(folder):
    """The model of a folder that `written_parts` wrote."""
    import transformers

    config = json.loads((folder / "config.json").read_text())
    if config.get("intra_bottleneck_size", 0) > config.get("hidden_size", 0):
        return _ib_bert(folder, config)
    cls = getattr(transformers, config["architectures"][0])
    more = {"add_pooling_layer": False} if cls.__name__[-5:] == "Model" else {}
    if "Distil" in cls.__name__:
        more = {}
    model = cls.from_pretrained(folder, attn_implementation="sdpa", **more)
    return with_bert_epsilon(model)


def _ib_bert(folder, config):
    """IB-BERT, whose attention reads the hidden states, 512 wide."""
    import torch
    import transformers
    from safetensors.torch import load_file

    model = transformers.MobileBertModel(
        transformers.MobileBertConfig(**config), add_pooling_layer=False
    )
    for layer in model.encoder.layer:
        attention = layer.attention.self
        for name in ("query", "key"):
            wide = attention.all_head_size
            linear = torch.nn.Linear(config["hidden_size"], wide)
            setattr(attention, name, linear)
    missing, unexpected = model.load_state_dict(
        load_file(folder / "model.safetensors"), strict=False
    )
    left = [name for name in unexpected if "pooler" not in name]
    if missing or left:
        raise ValueError(
            f"{folder} does not fit transformers' MobileBERT: it lacks "
            f"{missing} and has {left} too many."
        )
    return with_bert_epsilon(model)


def with_bert_epsilon(model):
    """`transformers` has 1e-5 for two norms, whatever a config says."""
    import torch

    for layer in model.modules():
        if isinstance(layer, torch.nn.LayerNorm):
            layer.eps = 1e-12
    return model


class Tapped:
    """A model that keeps the queries and keys of its blocks.

    `transformers` returns distributions, which are not what the losses
    compare, and then has no fused attention; scores are derived from queries
    and keys instead.

    Args:
        model: `BertModel` or `MobileBertModel`.
    """

    def __init__(self, model):
        self.model = model
        self._attention = [x.attention.self for x in model.encoder.layer]
        self._found = {}
        for index, attention in enumerate(self._attention):
            for name in ("query", "key"):
                getattr(attention, name).register_forward_hook(
                    self._keeper(index, name)
                )

    def __call__(self, batch):
        """All hidden states, the embeddings first."""
        names = ("input_ids", "token_type_ids", "attention_mask")
        inputs = {name: batch[name] for name in names}
        return self.model(**inputs, output_hidden_states=True).hidden_states

    def scores(self, block, batch):
        """Scores before the softmax of a block, `(B, H, T, T)`, float32."""
        import torch

        heads = self._attention[block].num_attention_heads
        query, key = (
            self._found[block, name].float().unflatten(-1, (heads, -1))
            for name in ("query", "key")
        )
        with torch.autocast("cpu", enabled=False):
            query, key = query.transpose(1, 2), key.permute(0, 2, 3, 1)
            scores = query @ key * query.shape[-1] ** -0.5
        padded = 1.0 - batch["attention_mask"].float()
        return scores - 10000.0 * padded[:, None, None, :]

    def _keeper(self, index, name):
        def keep(module, inputs, output):
            self._found[index, name] = output

        return keep


def read_projections(folder):
    """The matches' matrices by name, `(out, in)` as PyTorch has them."""
    import torch

    with np.load(pathlib.Path(folder, "projections.npz")) as arrays:
        return {
            name: torch.nn.Parameter(torch.from_numpy(arrays[name].T.copy()))
            for name in arrays
        }
