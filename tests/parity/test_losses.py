"""The papers' total losses and gradients, as PyTorch has them.

Models of `transformers` with random weights are the references, saved to
folders and read by ours; so are their gradients, as if these were weights,
which lays them out as ours. No dropout.

Skipped without PyTorch. To run: pip install torch transformers.

Letters: B batch, T tokens, D width.
"""

import keras
import numpy as np
import pytest
import tiny

import tf_distill as td
from tf_distill import losses, models

REASON = "compares with PyTorch: pip install torch transformers"
torch = pytest.importorskip("torch", reason=REASON)
transformers = pytest.importorskip("transformers", reason=REASON)

# transformers' epsilon is another, which is warned of.
pytestmark = pytest.mark.filterwarnings("ignore:.*with an epsilon of 1e-5")
functional = torch.nn.functional

SIZES = {
    "vocab_size": 20,
    "max_position_embeddings": 12,
    "attn_implementation": "eager",
    "num_attention_heads": 2,
    "intermediate_size": 12,
}
DISTIL = {
    "vocab_size": 20,
    "max_position_embeddings": 12,
    "attn_implementation": "eager",
    "n_layers": 2,
    "n_heads": 2,
    "dim": 8,
    "hidden_dim": 16,
}


def random_model(cls, seed, folder, prepare=None, **config):
    """A model of theirs, in double precision, and its folder."""
    model = cls(cls.config_class(**config)).eval()
    if prepare:
        prepare(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0.0, 0.3, generator=generator)
            if name.lower().endswith(("layernorm.weight", "layer_norm.weight")):
                weight += 1.0
    for layer in model.modules():
        if isinstance(layer, torch.nn.LayerNorm):
            layer.eps = 1e-12  # see test_transformers.py
        if isinstance(layer, torch.nn.Embedding):
            # MobileBERT's trigram of a last token reads [PAD], which Google's
            # code trains, and ours; PyTorch would give it no gradient.
            layer.padding_idx = None
    model.save_pretrained(folder)
    return model.double()


def gradients_as_weights(model, folder):
    """Writes a folder whose weights are the gradients of a model."""
    with torch.no_grad():
        for weight in model.parameters():
            gradient = weight.grad
            weight.data = (
                torch.zeros_like(weight) if gradient is None else gradient
            )
    model.float().save_pretrained(folder)


class Gradients(keras.optimizers.SGD):
    """Keeps the gradients that it gets, and changes nothing."""

    def apply(self, grads, trainable_variables=None):
        self.found = {
            id(variable): np.zeros(variable.shape)
            if gradient is None
            else keras.ops.convert_to_numpy(gradient)
            for gradient, variable in zip(
                grads, trainable_variables, strict=True
            )
        }


def step(
    student, teacher, matches, inputs, labels=None, prepare=None, **kwargs
):
    """The total and, by variable, the gradients of a step of ours."""
    made = td.Distiller(student, teacher, matches)
    if prepare:
        prepare(made)
    made.compile(Gradients(), run_eagerly=True, **kwargs)
    logs = made.train_on_batch(inputs, labels, return_dict=True)
    return logs["loss"], made.optimizer.found


def assert_same_gradients(found, ours, expected):
    """That each variable's gradient is the weight of the other model."""
    pairs = [
        (found[id(one)], other.numpy(), one.path)
        for one, other in zip(
            ours.trainable_variables, expected.trainable_variables, strict=True
        )
    ]
    largest = max(abs(other).max() for _, other, _ in pairs)
    seen = 0
    for one, other, path in pairs:
        # What is 0 but for rounding, as a key's bias, has no relative error.
        scale = max(abs(other).max(), 1e-3 * largest)
        assert abs(one - other).max() < 1e-4 * scale, path
        seen += abs(other).max() > 1e-3 * largest
    assert seen > len(pairs) // 3
    return largest


def arguments(inputs, model):
    found = {
        "input_ids": inputs["token_ids"],
        "attention_mask": inputs["padding_mask"],
        "token_type_ids": inputs["segment_ids"],
    }
    if model.config.model_type == "distilbert":
        del found["token_type_ids"]
    return {name: torch.tensor(x).long() for name, x in found.items()}


def run(model, inputs, **kwargs):
    return model(
        **arguments(inputs, model), output_hidden_states=True, **kwargs
    )


def mean_of_examples(inputs, value):
    """The mean over examples of a function of a row and its length."""
    lengths = inputs["padding_mask"].sum(1)
    return sum(value(b, n) for b, n in enumerate(lengths)) / len(lengths)


EQUAL, UNEQUAL = tiny.batch((5, 5, 5)), tiny.batch((1, 5, 4, 7))
batches = pytest.mark.parametrize(
    "inputs", [EQUAL, UNEQUAL], ids=["as the code", "examples' means"]
)


# DistilBERT: 5 KL at temperature 2, 2 masked LM, 1 cosine.


def distil_bert_total(teacher, student, inputs, labels):
    with torch.no_grad():
        theirs = run(teacher, inputs)
    ours = run(student, inputs)
    words = functional.log_softmax(ours.logits / 2, -1)
    targets = functional.softmax(theirs.logits / 2, -1)
    hidden = ours.hidden_states[-1], theirs.hidden_states[-1]
    labels = torch.tensor(labels).long()

    def value(row, length):
        one = slice(row, row + 1), slice(0, length)

        def flat(x):
            return x[one].reshape(length, -1)

        soft = functional.kl_div(
            flat(words), flat(targets), reduction="batchmean"
        )
        hard = functional.cross_entropy(
            flat(ours.logits), labels[one][0], ignore_index=-100
        )
        cosine = functional.cosine_embedding_loss(
            flat(hidden[0]), flat(hidden[1]), torch.ones(length)
        )
        return 5 * soft * 4 + 2 * hard + cosine

    if inputs is UNEQUAL:
        return mean_of_examples(inputs, value)
    # As the code has it: one mean over all tokens, or masked words.
    tokens = inputs["padding_mask"].size

    def flat(x):
        return x.reshape(tokens, -1)

    soft = functional.kl_div(flat(words), flat(targets), reduction="batchmean")
    hard = functional.cross_entropy(
        flat(ours.logits), labels.reshape(-1), ignore_index=-100
    )
    cosine = functional.cosine_embedding_loss(
        *map(flat, hidden), torch.ones(tokens)
    )
    return 5 * soft * 4 + 2 * hard + cosine


@batches
def test_distil_bert(tmp_path, inputs):
    teacher = random_model(
        transformers.BertForMaskedLM,
        0,
        tmp_path / "teacher",
        num_hidden_layers=4,
        hidden_size=8,
        **SIZES,
    )
    student = random_model(
        transformers.DistilBertForMaskedLM, 1, tmp_path / "student", **DISTIL
    )
    labels = np.full(inputs["token_ids"].shape, -100)
    labels[:, 0] = 7  # one masked word in each row
    total = distil_bert_total(teacher, student, inputs, labels)
    total.backward()
    gradients_as_weights(student, tmp_path / "gradients")
    ours, expected = (
        models.DistilBertMaskedLM.from_preset(
            tmp_path / name, preprocessor=None, dropout=0.0
        )
        for name in ("student", "gradients")
    )
    theirs = models.BertMaskedLM.from_preset(
        tmp_path / "teacher", preprocessor=None
    )
    # Logits at every token, of which the real ones count.
    everywhere = np.arange(labels.shape[1]) + 0 * labels
    found, gradients = step(
        ours,
        theirs,
        [
            td.LogitMatch(losses.SoftKLDivergence(2.0), weight=5.0),
            td.LayerMatch(
                "hidden_states", losses.HiddenCosine(), layer_map={1: 3}
            ),
        ],
        {
            **inputs,
            "mask_positions": everywhere,
            "mask_weights": inputs["padding_mask"],
        },
        labels,
        loss=losses.MaskedLMCrossEntropy(),
        loss_weights=2.0,
    )
    np.testing.assert_allclose(found, total.item(), rtol=1e-4)
    assert_same_gradients(gradients, ours, expected)


# TinyBERT: the intermediate layers, then the prediction.


def record_attention(model, layers):
    """Keeps queries and keys of each layer, by hooks."""
    kept = {}
    for index, layer in enumerate(layers):
        for role in ("query", "key"):
            getattr(layer.attention.self, role).register_forward_hook(
                lambda module, inputs, output, name=(index, role): (
                    kept.__setitem__(name, output)
                )
            )
    return kept


def scores(kept, index, heads=2):
    """Scaled products before mask and softmax, (B, H, T, T)."""
    query, key = (kept[index, role] for role in ("query", "key"))
    query, key = (
        x.reshape(*x.shape[:2], heads, -1).transpose(1, 2) for x in (query, key)
    )
    return query @ key.transpose(2, 3) / query.shape[-1] ** 0.5


@pytest.fixture
def tiny_bert(tmp_path):
    """Teacher, student and their head and projections, on PyTorch."""
    teacher = random_model(
        transformers.BertForSequenceClassification,
        0,
        tmp_path / "teacher",
        num_hidden_layers=4,
        hidden_size=12,
        num_labels=3,
        **SIZES,
    )
    student = random_model(
        transformers.BertModel,
        1,
        tmp_path / "student",
        num_hidden_layers=2,
        hidden_size=8,
        **SIZES,
    )
    torch.manual_seed(2)
    head = torch.nn.Linear(8, 3).double()
    fits = [torch.nn.Linear(8, 12, bias=False).double() for _ in "eh"]
    return teacher, student, head, fits


def intermediate_total(teacher, student, fits, inputs):
    kept = [
        record_attention(m, e.encoder.layer)
        for m, e in ((teacher, teacher.bert), (student, student))
    ]
    with torch.no_grad():
        theirs = run(teacher, inputs).hidden_states
    ours = run(student, inputs).hidden_states
    fits = [fits[0], fits[1], fits[1]]
    mse = functional.mse_loss

    def value(rows, tokens):
        one = (rows, tokens)
        total = sum(
            mse(fit(ours[index])[one], theirs[2 * index][one])
            for index, fit in enumerate(fits)
        )
        square = (rows, slice(None), tokens, tokens)
        return total + sum(
            mse(scores(kept[1], i)[square], scores(kept[0], 2 * i + 1)[square])
            for i in (0, 1)
        )

    if inputs is EQUAL:  # as the code has it: the mean over everything
        return value(slice(None), slice(None))
    return mean_of_examples(
        inputs, lambda b, n: value(slice(b, b + 1), slice(0, n))
    )


def our_tiny_bert(folder, head):
    """Student and gradients in Keras, and the teacher."""
    student, gradients = (
        models.BertBackbone.from_preset(folder / name, dropout=0.0)
        for name in ("student", "gradients")
    )
    classifier = models.TinyBertTextClassifier(student, 3, dropout=0.0)
    classifier.head.kernel.assign(head.weight.detach().numpy().T)
    classifier.head.bias.assign(head.bias.detach().numpy())
    teacher = models.BertTextClassifier.from_preset(
        folder / "teacher", preprocessor=None
    )
    return classifier, gradients, teacher


@batches
def test_tiny_bert_s_intermediate_layers(tmp_path, tiny_bert, inputs):
    teacher, student, head, fits = tiny_bert
    if inputs is EQUAL:
        fits = [fits[0], fits[0]]  # the code shares one with the embeddings
    total = intermediate_total(teacher, student, fits, inputs)
    total.backward()
    gradients_as_weights(student, tmp_path / "gradients")
    ours, expected, theirs = our_tiny_bert(tmp_path, head)
    matches = [
        td.EmbeddingMatch(losses.HiddenMSE(), projection=True),
        td.LayerMatch("hidden_states", losses.HiddenMSE(), projection=True),
        td.LayerMatch("attention_scores", losses.AttentionMSE()),
    ]

    def prepare(made):
        for match, fit in zip(matches[:2], fits, strict=True):
            kernel = fit.weight.detach().numpy().T
            match.projections[0].kernel.assign(kernel)

    found, gradients = step(ours, theirs, matches, inputs, prepare=prepare)
    np.testing.assert_allclose(found, total.item(), rtol=1e-4)
    assert_same_gradients(gradients, ours.backbone, expected)
    kernels = [gradients[id(m.projections[0].kernel)] for m in matches[:2]]
    if inputs is EQUAL:
        kernels, fits = [kernels[0] + kernels[1]], fits[:1]
    for kernel, fit in zip(kernels, fits, strict=True):
        np.testing.assert_allclose(
            kernel, fit.weight.grad.numpy().T, rtol=1e-4, atol=1e-5
        )


@batches
def test_tiny_bert_s_prediction(tmp_path, tiny_bert, inputs):
    teacher, student, head, _ = tiny_bert
    logits = head(torch.relu(run(student, inputs).pooler_output))
    targets = run(teacher, inputs).logits.detach()
    values = -functional.softmax(targets, -1) * functional.log_softmax(
        logits, -1
    )
    # The code takes the mean over the classes, the paper the sum.
    code = inputs is EQUAL
    total = values.mean() if code else values.sum(-1).mean()
    total.backward()
    gradients_as_weights(student, tmp_path / "gradients")
    ours, expected, theirs = our_tiny_bert(tmp_path, head)
    match = td.LogitMatch(
        losses.SoftCrossEntropy(scaled=False), weight=1 / 3 if code else 1.0
    )
    found, gradients = step(ours, theirs, [match], inputs)
    np.testing.assert_allclose(found, total.item(), rtol=1e-4)
    assert_same_gradients(gradients, ours.backbone, expected)
    for variable, reference in (
        (ours.head.kernel, head.weight.grad.numpy().T),
        (ours.head.bias, head.bias.grad.numpy()),
    ):
        np.testing.assert_allclose(
            gradients[id(variable)], reference, rtol=1e-4, atol=1e-6
        )


# MobileBERT: one layer of the progressive transfer.


MOBILE = {
    **SIZES,
    "num_hidden_layers": 3,
    "hidden_size": 16,
    "embedding_size": 6,
    "classifier_activation": False,
}
LAYER = 1  # of three


def inverted_bottleneck(model):
    """Lets queries and keys read hidden states, as IB-BERT's do.

    In `transformers` only its values can, unless the widths are equal.
    """
    for layer in model.encoder.layer:
        for role in ("query", "key"):
            setattr(layer.attention.self, role, torch.nn.Linear(16, 24))


def phase_total(teacher, student, inputs):
    kept = [record_attention(m, m.encoder.layer) for m in (teacher, student)]
    with torch.no_grad():
        theirs = run(teacher, inputs).hidden_states[LAYER + 1]
    ours = run(student, inputs).hidden_states[LAYER + 1]

    def value(rows, tokens):
        t, s = (x[rows, tokens] for x in (theirs, ours))
        normalized = [
            functional.layer_norm(x, (16,), eps=1e-12) for x in (t, s)
        ]
        square = (rows, slice(None), tokens, tokens)
        p, q = (scores(k, LAYER)[square] for k in kept)
        divergence = functional.softmax(p, -1) * (
            functional.log_softmax(p, -1) - functional.log_softmax(q, -1)
        )
        variances = [x.var(-1, unbiased=False) for x in (t, s)]
        total = 100 * functional.mse_loss(*normalized)
        total = total + divergence.sum(-1).mean()
        total = total + 5000 * functional.mse_loss(t.mean(-1), s.mean(-1))
        return (total + 5 * abs(variances[0] - variances[1]).mean()) / 3

    if inputs is EQUAL:
        return value(slice(None), slice(None))
    return mean_of_examples(
        inputs, lambda b, n: value(slice(b, b + 1), slice(0, n))
    )


@batches
def test_mobile_bert_s_transfer_of_a_layer(tmp_path, inputs):
    teacher = random_model(
        transformers.MobileBertModel,
        0,
        tmp_path / "teacher",
        inverted_bottleneck,
        intra_bottleneck_size=24,
        num_feedforward_networks=1,
        key_query_shared_bottleneck=False,
        normalization_type="layer_norm",
        hidden_act="gelu_new",
        **MOBILE,
    )
    student = random_model(
        transformers.MobileBertModel,
        1,
        tmp_path / "student",
        intra_bottleneck_size=8,
        num_feedforward_networks=3,
        **MOBILE,
    )
    total = phase_total(teacher, student, inputs)
    total.backward()
    gradients_as_weights(student, tmp_path / "gradients")
    ours, expected, theirs = (
        models.MobileBertBackbone.from_preset(
            tmp_path / name, attention_dropout=0.0
        )
        for name in ("student", "gradients", "teacher")
    )

    def match(signal, loss, weight, name):
        return td.LayerMatch(
            signal,
            loss,
            layer_map={LAYER: LAYER},
            weight=weight / 3,
            name=name,
        )

    found, gradients = step(
        ours,
        theirs,
        [
            match("hidden_states", losses.FeatureMapMSE(), 100, "maps"),
            match("hidden_states", losses.FeatureMapMean(), 5000, "means"),
            match("hidden_states", losses.FeatureMapVariance(), 5, "spread"),
            match("attention_scores", losses.AttentionKL(), 1, "attention"),
        ],
        inputs,
    )
    np.testing.assert_allclose(found, total.item(), rtol=1e-4)
    assert_same_gradients(gradients, ours, expected)
