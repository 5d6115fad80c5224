"""The same numbers as `transformers` on PyTorch, from the folders it saves.

Skipped without PyTorch. To run: pip install -e ".[parity]".
"""

import keras
import numpy as np
import pytest
import tiny

from tf_distill import models
from tf_distill.distillation import tapped

REASON = 'compares with PyTorch: pip install -e ".[parity]"'
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)

# transformers' epsilon is another, which is warned of.
pytestmark = pytest.mark.filterwarnings("ignore:.*with an epsilon of 1e-5")

LAYERS = 3
SHARED = {
    "vocab_size": 20,
    "max_position_embeddings": 12,
    "num_labels": 3,
    "attn_implementation": "eager",
}
BERT = {
    **SHARED,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 16,
}
MOBILE = {
    **BERT,
    "hidden_size": 16,
    "intermediate_size": 12,
    "intra_bottleneck_size": 8,
    "embedding_size": 6,
    "num_feedforward_networks": 3,
    "classifier_activation": False,
}
DISTIL = {
    **SHARED,
    "n_layers": LAYERS,
    "n_heads": 2,
    "dim": 8,
    "hidden_dim": 16,
}
CASES = {
    "bert": ("Bert", BERT),
    "bert_gelu_new": ("Bert", {**BERT, "hidden_act": "gelu_new"}),
    "distil_bert": ("DistilBert", DISTIL),
    "mobile_bert": ("MobileBert", MOBILE),
    "mobile_bert_pooler": (
        "MobileBert",
        {**MOBILE, "classifier_activation": True},
    ),
    "mobile_bert_tiny": (
        "MobileBert",
        {
            **MOBILE,
            "use_bottleneck_attention": True,
            "key_query_shared_bottleneck": False,
            "num_feedforward_networks": 2,
        },
    ),
    "mobile_bert_without_opt": (
        "MobileBert",
        {
            **MOBILE,
            "normalization_type": "layer_norm",
            "hidden_act": "gelu_new",
        },
    ),
}


def theirs(kind, family, config):
    """A model of theirs with random weights, that are not small."""
    config = getattr(transformers, f"{family}Config")(**config)
    # In a constructor of its own way, not by `from_pretrained`.
    model = getattr(transformers, f"{family}{kind}")(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0.0, 0.3, generator=generator)
            if name.endswith("LayerNorm.weight") or "layer_norm.w" in name:
                weight += 1.0
    for layer in model.modules():
        if isinstance(layer, torch.nn.LayerNorm):
            # MobileBERT's code gives two kinds of its norms PyTorch's own
            # 1e-5, Google's, which it follows, 1e-12 to all.
            layer.eps = 1e-12
    return model


def theirs_as_published(family, kind="ForMaskedLM", **config):
    """A model of theirs in its default size, initialized as they do."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        attn_implementation="eager", **config
    )
    return getattr(transformers, f"{family}{kind}")(config).eval()


def run(model, inputs):
    arguments = {
        "input_ids": inputs["token_ids"],
        "attention_mask": inputs["padding_mask"],
        "token_type_ids": inputs["segment_ids"],
    }
    if model.config.model_type == "distilbert":
        del arguments["token_type_ids"]
    with torch.no_grad():
        return model(
            **{k: torch.tensor(v).long() for k, v in arguments.items()},
            output_hidden_states=True,
            output_attentions=True,
        )


def needed(model, inputs):
    return {name: inputs[name] for name in model.input}


def assert_close(found, expected):
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found),
        expected.numpy(),
        rtol=1e-4,
        atol=2e-5,
    )


@pytest.mark.parametrize("case", CASES)
def test_hidden_states_and_attention(tmp_path, case):
    family, config = CASES[case]
    model = theirs("Model", family, config)
    model.save_pretrained(tmp_path)
    ours = getattr(models, f"{family}Backbone").from_preset(tmp_path)
    inputs = tiny.batch((1, 7, 4, 11))
    expected = run(model, inputs)
    signals = ["embeddings"]
    for role in ("hidden_states", "attention_scores"):
        signals += [f"{role}/{index}" for index in range(LAYERS)]
    found = tapped(ours, signals)(needed(ours, inputs))
    assert len(expected.hidden_states) == LAYERS + 1
    assert_close(found["embeddings"], expected.hidden_states[0])
    for index in range(LAYERS):
        assert_close(
            found[f"hidden_states/{index}"], expected.hidden_states[index + 1]
        )
        scores = found[f"attention_scores/{index}"]
        assert_close(keras.ops.softmax(scores), expected.attentions[index])
    if family == "Bert":
        output = found["output"]
        assert_close(output["pooled_output"], expected.pooler_output)


@pytest.mark.parametrize("case", CASES)
def test_logits(tmp_path, case):
    family, config = CASES[case]
    model = theirs("ForSequenceClassification", family, config)
    model.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(tiny.WORDS) + "\n")
    cls = getattr(models, f"{family}TextClassifier")
    ours = cls.from_preset(tmp_path)
    inputs = tiny.batch((1, 7, 4, 11))
    expected = run(model, inputs)
    assert expected.logits.shape == (4, 3)
    assert_close(ours(needed(ours, inputs)), expected.logits)
    assert ours.label_names == ["LABEL_0", "LABEL_1", "LABEL_2"]


def test_which_norms_have_another_epsilon():
    # What the warning and `export.hugging_face` say of them.
    family, config = CASES["mobile_bert_without_opt"]
    config = getattr(transformers, f"{family}Config")(**config)
    model = transformers.MobileBertModel(config)
    norms = {
        name: layer.eps
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.LayerNorm)
    }
    others = [name for name, epsilon in norms.items() if epsilon != 1e-12]
    last = [f"encoder.layer.{index}.output.LayerNorm" for index in range(3)]
    assert sorted(others) == sorted(["embeddings.LayerNorm", *last])
    assert {norms[name] for name in others} == {1e-5}
    assert len(norms) > len(others)
