"""Broken files: an error that names them, or the weights that were there."""

import json
import struct

import encoders
import folders
import hypothesis
import numpy as np
import pytest
import tiny
from hypothesis import strategies as st

from tf_distill.checkpoints import (
    HuggingFaceFolder,
    assign,
    distil_bert,
    mobile_bert,
)
from tf_distill.checkpoints.bert import FAMILY
from tf_distill.checkpoints.encoder_tensors import encoder_tensors
from tf_distill.models import BertBackbone

SETTINGS = hypothesis.settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=list(hypothesis.HealthCheck),
)
TENSORS = tiny.hugging_face_tensors()
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 30),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder, its weights' bytes, and an encoder to read them into."""
    folder = folders.write(tmp_path_factory.mktemp("fuzz"), TENSORS)
    whole = (folder / "model.safetensors").read_bytes()
    return folder, whole, tiny.backbone(seed=1)


def outcome(written, content):
    """Whether a file was read; if not, the error must name it."""
    folder, _, encoder = written
    (folder / "model.safetensors").write_bytes(content)
    before = tiny.weights_of(encoder)
    try:
        found = HuggingFaceFolder(folder)
        arguments = found.arguments(FAMILY.arguments)
        tensors = encoder_tensors(found, "bert", arguments)
        assign(encoder, tensors, FAMILY.names(encoder), source=folder)
    except ValueError as error:
        assert str(folder) in str(error)
        tiny.assert_same_weights(before, tiny.weights_of(encoder))
        return False
    return True


def different_values(encoder):
    """How many of the encoder's weights are not those of `TENSORS`."""
    found = {
        name: (kernel.T if name.endswith("weight") and transposed else kernel)
        for name, kernel, transposed in (
            (theirs, _value(encoder, ours), transposed)
            for ours, theirs, transposed in FAMILY.names(encoder)
        )
    }
    assert found.keys() == TENSORS.keys()
    assert all(np.isfinite(value).all() for value in found.values())
    return sum((found[name] != TENSORS[name]).sum() for name in found)


def _value(encoder, path):
    *layers, attribute = path.split("/")
    layer = encoder
    for name in layers:
        layer = layer.get_layer(name)
    return getattr(layer, attribute).numpy()


def header_of(content):
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_the_whole_file_is_read(written):
    assert outcome(written, written[1])
    assert different_values(written[2]) == 0


@SETTINGS
@hypothesis.given(st.data())
def test_truncations(written, data):
    whole = written[1]
    length = data.draw(st.integers(0, len(whole) - 1))
    assert not outcome(written, whole[:length])
    assert not outcome(written, whole + whole[:length] + b"\0")


@SETTINGS
@hypothesis.given(st.data())
def test_flipped_bits(written, data):
    whole = bytearray(written[1])
    (length,) = struct.unpack("<Q", whole[:8])
    # The header is where a flip can do the most harm: half of them there.
    last = data.draw(st.sampled_from([8 + length, len(whole)])) - 1
    place = data.draw(st.integers(0, last))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    if outcome(written, bytes(whole)):
        # Nobody can know a changed weight; no other weight may change.
        assert different_values(written[2]) <= (place >= 8 + length)


@SETTINGS
@hypothesis.given(st.data())
def test_headers_that_lie(written, data):
    header, content = header_of(written[1])
    names = sorted(TENSORS)
    name = data.draw(st.sampled_from(names))
    other = data.draw(st.sampled_from(names))
    entry = header[name]
    lie = data.draw(
        st.sampled_from(["dtype", "shape", "offsets", "name", "swap", "any"])
    )
    if lie == "dtype":
        entry["dtype"] = data.draw(
            st.sampled_from(
                ["F64", "F16", "BF16", "I32", "U32", "I64", "BOOL", "F8_E4M3"]
                + ["C64", "X", ""]
            )
        )
    elif lie == "shape":
        entry["shape"] = data.draw(st.lists(st.integers(0, 2**64), max_size=3))
    elif lie == "offsets":
        entry["data_offsets"] = data.draw(
            st.lists(st.integers(0, 2**64), min_size=1, max_size=3)
        )
    elif lie == "name":
        header[data.draw(st.text(max_size=9))] = header.pop(name)
    elif lie == "swap":
        header[name], header[other] = header[other], header[name]
    else:
        entry[data.draw(st.sampled_from(sorted(entry)))] = data.draw(JSON)
    swapped = lie == "swap" and name != other
    same_shape = TENSORS[name].shape == TENSORS[other].shape
    read = outcome(written, with_header(header, content))
    if swapped:
        # Two names that changed places are known by their shapes alone.
        assert read == same_shape
    elif read:
        assert different_values(written[2]) == 0


@pytest.mark.parametrize(
    ("dtype", "read"),
    [
        ("float16", True),
        ("bfloat16", True),
        ("float64", True),
        ("int32", False),
        ("int8", False),
        ("uint8", False),
        ("bool", False),
    ],
)
def test_dtypes(written, dtype, read):
    import ml_dtypes

    name = "encoder.layer.1.output.dense.weight"
    dtype = getattr(ml_dtypes, dtype, None) or np.dtype(dtype)
    value = TENSORS[name].astype(dtype)
    folders.write(written[0], {**TENSORS, name: value})
    content = (written[0] / "model.safetensors").read_bytes()
    assert outcome(written, content) == read
    if read:
        kernel = written[2].blocks[1].get_layer("output").kernel
        np.testing.assert_array_equal(kernel, value.astype("float32").T)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite(written, value):
    for dtype in ("float32", "float16"):
        bias = np.array([1, value] + [0] * 6, dtype)
        folders.write(written[0], {**TENSORS, "pooler.dense.bias": bias})
        content = (written[0] / "model.safetensors").read_bytes()
        assert not outcome(written, content)
    # Finite where it comes from, not where it goes.
    bias = np.array([1e300] * 8)
    folders.write(written[0], {**TENSORS, "pooler.dense.bias": bias})
    content = (written[0] / "model.safetensors").read_bytes()
    assert not outcome(written, content)


def test_weights_that_are_there_twice(written):
    for other in (
        "bert.pooler.dense.bias",
        "bert.encoder.layer.0.output.LayerNorm.gamma",
    ):
        twice = {**TENSORS, other: np.ones(8, "float32")}
        if other.endswith("gamma"):
            twice[other.removeprefix("bert.")] = np.ones(8, "float32")
        folders.write(written[0], twice)
        content = (written[0] / "model.safetensors").read_bytes()
        assert not outcome(written, content)


SPECIAL_IDS = {word: i for i, word in enumerate(tiny.WORDS[:5])}
SIZES = [
    "vocab_size",
    "num_hidden_layers",
    "num_attention_heads",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
]


@SETTINGS
@hypothesis.given(name=st.sampled_from(sorted(folders.CONFIG)), value=JSON)
@hypothesis.example("vocab_size", 10**12)
@hypothesis.example("num_hidden_layers", 10**6)
@hypothesis.example("num_attention_heads", 3)
@hypothesis.example("hidden_size", 0)
@hypothesis.example("intermediate_size", True)
@hypothesis.example("hidden_dropout_prob", float("nan"))
@hypothesis.example("architectures", [])
@hypothesis.example("architectures", [3])
def test_configs(tmp_path_factory, name, value):
    folder = folders.write(tmp_path_factory.mktemp("config"), TENSORS)
    config = {**folders.CONFIG, name: value}
    (folder / "config.json").write_text(json.dumps(config))
    harmless = (
        name not in SIZES
        or value == folders.CONFIG[name]
        # Heads are not to be seen in the weights, but that they divide.
        or (name == "num_attention_heads" and value in (1, 4, 8))
    )
    if not harmless:
        with pytest.raises(ValueError) as error:
            BertBackbone.from_preset(folder)
        assert str(folder) in str(error.value)
        return
    try:
        found = HuggingFaceFolder(folder)
        found.arguments(FAMILY.arguments)
        found.label_names()
    except ValueError as error:
        assert "config.json" in str(error)


@SETTINGS
@hypothesis.given(
    family=st.sampled_from(
        [
            (distil_bert.FAMILY, encoders.DISTIL_CONFIG),
            (mobile_bert.FAMILY, encoders.MOBILE_CONFIG),
        ]
    ),
    data=st.data(),
)
def test_configs_of_other_families(tmp_path_factory, family, data):
    family, config = family
    name = data.draw(st.sampled_from(sorted(config)))
    folder = tmp_path_factory.mktemp("family")
    content = json.dumps({**config, name: data.draw(JSON)})
    (folder / "config.json").write_text(content)
    try:
        found = HuggingFaceFolder(folder).arguments(family.arguments)
    except ValueError as error:
        assert str(folder / "config.json") in str(error)
        return
    # An encoder of these can be built.
    width = found.get("bottleneck_dim", found["hidden_dim"])
    assert width % found["num_heads"] == 0
    for name, value in found.items():
        if type(value) is int and "dropout" not in name:
            assert value > 0


@SETTINGS
@hypothesis.given(
    config=st.one_of(
        JSON,
        st.fixed_dictionaries(
            {},
            optional={
                "architectures": st.just(["BertForSequenceClassification"])
                | JSON,
                "id2label": JSON,
                "vocab_size": st.just(20) | JSON,
            },
        ),
    ),
    tokenizer_config=st.one_of(
        JSON,
        st.fixed_dictionaries(
            {}, optional={"do_lower_case": JSON, "strip_accents": JSON}
        ),
    ),
    tokenizer=st.one_of(
        JSON,
        st.fixed_dictionaries(
            {},
            optional={
                "normalizer": JSON,
                "model": st.fixed_dictionaries(
                    {"type": st.just("WordPiece")},
                    optional={
                        "vocab": JSON
                        | st.dictionaries(
                            st.text(max_size=2), st.integers(4, 7), max_size=2
                        ).map(lambda rest: {**SPECIAL_IDS, **rest})
                    },
                ),
            },
        ),
    ),
)
def test_tokenizers_and_labels(
    tmp_path_factory, config, tokenizer_config, tokenizer
):
    folder = tmp_path_factory.mktemp("tokenizer")
    for name, content in (
        ("config", config),
        ("tokenizer_config", tokenizer_config),
        ("tokenizer", tokenizer),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content))
    results = {}
    for name in ("vocabulary", "lowercase", "strip_accents", "label_names"):
        try:
            results[name] = getattr(HuggingFaceFolder(folder), name)()
        except ValueError as error:
            assert str(folder) in str(error)
    for name in ("lowercase", "strip_accents"):
        assert type(results.get(name, True)) is bool
    words = results.get("vocabulary")
    if words is not None:
        vocab = tokenizer["model"]["vocab"]
        assert [vocab[word] for word in words] == list(range(len(vocab)))
    names = results.get("label_names")
    if names is not None:
        assert all(type(name) is str for name in names)


@SETTINGS
@hypothesis.given(content=st.binary(max_size=40))
@hypothesis.example(b"[" * 100_000)
@hypothesis.example(b"\xff\xfe")
@hypothesis.example(b"null")
def test_bytes_that_are_no_json(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "config.json").write_bytes(content)
    try:
        config = HuggingFaceFolder(folder).config
    except ValueError as error:
        assert "config.json" in str(error)
    else:
        assert config == json.loads(content)
    (folder / "config.json").write_text("{}")
    (folder / "vocab.txt").write_bytes(content)
    try:
        words = HuggingFaceFolder(folder).vocabulary()
    except ValueError as error:
        assert "vocab.txt" in str(error)
    else:
        assert all(type(word) is str for word in words)


@SETTINGS
@hypothesis.given(
    weight_map=JSON
    | st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["1.safetensors", "2.safetensors", "../x", "3", ""]),
    )
)
def test_an_index_and_its_files(tmp_path_factory, weight_map):
    import safetensors.numpy

    folder = tmp_path_factory.mktemp("index")
    (folder / "config.json").write_text("{}")
    one = {"a": np.ones(1, "f"), "b": np.zeros(2, "f")}
    safetensors.numpy.save_file(one, folder / "1.safetensors")
    two = {"c": np.ones(3, "f")}
    safetensors.numpy.save_file(two, folder / "2.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    files = {**dict.fromkeys("ab", "1.safetensors"), "c": "2.safetensors"}
    # Whole files only, and each weight where the index says.
    used = list(weight_map.values()) if isinstance(weight_map, dict) else []
    fits = isinstance(weight_map, dict) and weight_map == {
        name: file for name, file in files.items() if file in used
    }
    try:
        found = HuggingFaceFolder(folder).tensors()
    except ValueError as error:
        assert str(folder) in str(error)
        assert not fits
    else:
        assert fits
        assert found.keys() == weight_map.keys()
