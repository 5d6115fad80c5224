"""A tiny classifier, and its exports scored once in new processes."""

import functools
import string
import types

import keras
import keras_hub
import numpy as np
import pytest

from tf_distill import export, models

WORDS = ["the", "good", "bad", "day", "##ing", "##ed"]
VOCABULARY = [
    *["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
    *string.ascii_lowercase,
    *string.digits,
    *string.punctuation,
    *[f"##{letter}" for letter in string.ascii_lowercase],
    *WORDS,
]
LABELS = ["negative", "neutral", "positive"]
MAX_LENGTH = 16
# Of several lengths and out of order; too long; empty; not UTF-8; with a NUL.
TEXTS = [
    b"the good day!",
    b"",
    b"so bad " * 20,
    b"caf\xc3\xa9 \xf0\x9f\x98\x80 \xe4\xb8\xad\xe6\x96\x87",
    b"\xff\xfe bad \x80",
    b"good\x00bad",
    b"   ",
    b"A Good DAY, gooding",
]


def make_preprocessor(strip_accents=False, **options):
    tokenizer = keras_hub.models.BertTokenizer(
        VOCABULARY, lowercase=True, strip_accents=strip_accents
    )
    return keras_hub.models.BertTextClassifierPreprocessor(
        tokenizer, sequence_length=MAX_LENGTH, **options
    )


def make_backbone(
    dtype=None, num_layers=2, cls=models.BertBackbone, vocabulary_size=None
):
    return cls(
        vocabulary_size=vocabulary_size or len(VOCABULARY),
        num_layers=num_layers,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=MAX_LENGTH,
        dtype=dtype,
    )


def make_task(
    dtype=None, num_classes=3, classifier=None, num_layers=2, **options
):
    """A task whose logits differ enough to tell one text from another."""
    classifier = classifier or models.BertTextClassifier
    backbone = make_backbone(dtype, num_layers, classifier.backbone_cls)
    options.setdefault("preprocessor", make_preprocessor())
    return with_noise(classifier(backbone, num_classes=num_classes, **options))


def with_noise(model):
    noise = np.random.default_rng(0)
    model.set_weights(
        [
            weight + noise.normal(0, 0.3, weight.shape).astype(weight.dtype)
            for weight in model.get_weights()
        ]
    )
    return model


def inputs_of(preprocessor, *texts):
    """What the preprocessor's Python path gives, as the model's inputs."""
    texts = tuple(
        [text.decode("utf-8", "replace") for text in column] for column in texts
    )
    inputs = preprocessor(x=texts if len(texts) > 1 else texts[0])
    return {name: np.asarray(x, "int32") for name, x in inputs.items()}


def as_encoded(inputs):
    """Padded inputs as flat arrays with offsets."""
    mask = inputs["padding_mask"].astype(bool)
    return types.SimpleNamespace(
        token_ids=inputs["token_ids"][mask],
        segment_ids=inputs["segment_ids"][mask],
        offsets=np.cumsum([0, *mask.sum(1)]),
    )


class Exported:
    """A task trained in half precision, and its exports, made when asked for.

    Every process that runs tests makes its own; most need a part of them.
    """

    def __init__(self, folder):
        keras.utils.set_random_seed(0)
        self.folder = folder
        self.model = make_task("mixed_bfloat16", label_names=LABELS)
        self.inputs = inputs_of(self.model.preprocessor, TEXTS)
        self.encoded = as_encoded(self.inputs)
        served = export.as_float32(self.model)
        self.logits = np.asarray(served(self.inputs, training=False))

    @functools.cached_property
    def version(self):
        return export.saved_model(self.model, self.folder / "tiny")

    @functools.cached_property
    def lite(self):
        return export.litert(self.model, self.folder / "tiny.tflite")

    @functools.cached_property
    def int8(self):
        path = self.folder / "tiny_int8.tflite"
        return export.litert(self.model, path, quantization="int8_dynamic")

    @functools.cached_property
    def from_saved_model(self):
        self.progress = []  # the arguments of every call
        return export.score_in_new_process(
            self.version,
            TEXTS,
            self.encoded,
            on_progress=lambda *numbers: self.progress.append(numbers),
        )

    @functools.cached_property
    def from_lite(self):
        return export.score_in_new_process(self.lite, encoded=self.encoded)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A task and its exports, scored once in new processes."""
    return Exported(tmp_path_factory.mktemp("exported"))


QUESTIONS = [
    # A question and a context: accents, ideographs, a context cut off, none.
    ("the good day", "bad day, the gooding: é a!"),
    ("a", "\u4e2d\u6587 the good \U0001f600 day" * 3),
    ("bad", ""),
    ("the good day bad " * 10, "a day"),
    ("", "good, bad"),
]


@pytest.fixture(scope="session")
def answering(tmp_path_factory):
    """A question answering model and its export."""
    keras.utils.set_random_seed(0)
    model = models.BertQuestionAnswering(
        make_backbone(num_layers=1),
        models.BertQuestionAnsweringPreprocessor(
            make_preprocessor().tokenizer, sequence_length=MAX_LENGTH
        ),
    )
    with_noise(model)
    folder = tmp_path_factory.mktemp("answering")
    version = export.saved_model(model, folder / "answering", version=7)
    return types.SimpleNamespace(model=model, version=version)


def softmax(logits):
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)
