"""Weights of Keras' and KerasHub's presets: as they were saved, or an error."""

import json
import shutil

import h5py
import keras
import keras_hub
import ml_dtypes
import numpy as np
import pytest
import tiny

from tf_distill import models
from tf_distill.models.preset_weights import read_encoder_weights

FILES = ("model.weights.h5", "task.weights.h5")
CLASSES = (models.BertBackbone, models.BertTextClassifier)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Presets of ours and of KerasHub's, which call the encoder's alike."""
    folder = tmp_path_factory.mktemp("saved")
    preprocessor = tiny.preprocessor()
    ours = tiny.classifier(preprocessor=preprocessor)
    theirs = keras_hub.models.BertTextClassifier(
        tiny.randomize(keras_hub.models.BertBackbone(**tiny.SIZES)),
        num_classes=3,
        preprocessor=preprocessor,
    )
    ours.save_to_preset(folder / "keras")
    theirs.save_to_preset(folder / "keras_hub")
    return folder


@pytest.fixture(params=["keras", "keras_hub"])
def preset(request, saved, tmp_path):
    return shutil.copytree(saved / request.param, tmp_path / "preset")


def replace(content, name, value):
    if name in content:
        del content[name]
    content[name] = value


@pytest.mark.parametrize("cls", CLASSES)
def test_fewer_layers_than_were_saved(preset, cls):
    for name in ("config.json", "task.json"):
        content = json.loads((preset / name).read_text())
        config = content["config"]
        config.get("backbone", content)["config"]["num_layers"] = 1
        (preset / name).write_text(json.dumps(content))
    with pytest.raises(ValueError, match="do not fit Bert") as error:
        cls.from_preset(preset)
    message = str(error.value)
    assert str(preset / FILES[0]) in message
    assert message.count("left over") == 16  # all of one block
    assert message.count("_1/") - message.count("layer_normalization_1/") >= 14


def test_all_mistakes_are_listed_at_once(preset):
    with h5py.File(preset / FILES[0], "r+") as content:
        del content["layers/dense/vars/0"], content["layers/dense/vars/1"]
        layer = "layers/layer_normalization/vars"
        replace(content, f"{layer}/0", np.full(8, np.nan, "float32"))
        replace(content, f"{layer}/1", np.ones(8, "int32"))
        for name in ("embedding", "position_embedding"):
            replace(content, f"layers/{name}/vars/0", np.ones((3, 8), "f"))
        content["layers/dense/vars/3"] = np.ones(8, "float32")
        content["mine/vars/0"] = np.ones(8, "float32")
    expected = {
        "layers/dense/vars/0: missing, of the shape (8, 8)",
        "layers/dense/vars/1: missing, of the shape (8,)",
        "layers/dense/vars/3: left over, has no place in this model",
        "mine/vars/0: left over, has no place in this model",
        f"{layer}/0: holds NaN or infinity",
        f"{layer}/1: of int32, or damaged, which no weight is",
        "layers/embedding/vars/0: shape (3, 8), but the model has (2, 8)",
        "layers/position_embedding/vars/0: shape (3, 8), but the model has "
        "(12, 8)",
    }
    for cls in CLASSES:
        with pytest.raises(ValueError, match=r"model\.weights\.h5") as error:
            cls.from_preset(preset)
        assert set(error.value.problems) == expected


@pytest.mark.parametrize(
    ("dtype", "read"),
    [
        ("float16", True),
        ("float64", True),
        ("int8", False),
        ("bool", False),
        ("complex64", False),
        ("S3", False),
    ],
)
def test_dtypes(preset, dtype, read):
    name = "layers/position_embedding/vars/0"
    value = np.arange(96).reshape(12, 8).astype(dtype)
    with h5py.File(preset / FILES[0], "r+") as content:
        replace(content, name, value)
    if not read:
        with pytest.raises(ValueError, match=f"{name}: of .*no weight is"):
            models.BertBackbone.from_preset(preset)
        return
    found = models.BertBackbone.from_preset(preset).position_embedding
    np.testing.assert_array_equal(found.position_embeddings, value)


def test_heads_that_do_not_divide(preset):
    content = json.loads((preset / "config.json").read_text())
    content["config"]["num_heads"] = 3
    (preset / "config.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="`num_heads`|sizes in its config"):
        models.BertBackbone.from_preset(preset)


def test_a_head_that_does_not_fit(preset):
    with h5py.File(preset / FILES[1], "r+") as content:
        replace(content, "layers/dense/vars/0", np.ones((8, 4), "float32"))
        del content["layers/dense/vars/1"]
        content["layers/dense_1/vars/0"] = np.ones((8, 8), "float32")
    with pytest.raises(ValueError, match=r"task\.weights\.h5") as error:
        models.BertTextClassifier.from_preset(preset)
    assert len(error.value.problems) == 3
    # Neither the encoder alone nor a new head reads it.
    models.BertBackbone.from_preset(preset)
    models.BertTextClassifier.from_preset(preset, num_classes=3)


@pytest.mark.parametrize("name", FILES)
def test_keras_hub_s_cut_short_or_not_there(saved, tmp_path, name):
    preset = shutil.copytree(saved / "keras_hub", tmp_path / "preset")
    file = preset / name
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"{name} is not a whole HDF5 file"):
        models.BertTextClassifier.from_preset(preset)
    file.unlink()
    with pytest.raises(ValueError, match=f"has no {name}: it was copied in pa"):
        models.BertTextClassifier.from_preset(preset)


def test_what_training_left_is_no_weight(tmp_path):
    ours = tiny.backbone()
    ours.compile("adam")
    ours.save_to_preset(tmp_path)
    with h5py.File(tmp_path / FILES[0]) as content:
        assert "optimizer/vars/0" in content
    again = models.BertBackbone.from_preset(tmp_path)
    tiny.assert_same_weights(tiny.weights_of(ours), tiny.weights_of(again))


def test_names_of_keras_2_13(saved, tmp_path):
    folder = shutil.copytree(saved / "keras_hub", tmp_path / "preset")
    new = tiny.weights_of(models.BertBackbone.from_preset(folder))
    with h5py.File(folder / FILES[0], "r+") as content:
        content.move("layers", "_layer_checkpoint_dependencies")
    again = models.BertBackbone.from_preset(folder)
    tiny.assert_same_weights(new, tiny.weights_of(again))


def test_bfloat16(tmp_path):
    ours = tiny.backbone(dtype="bfloat16")
    ours.save_to_preset(tmp_path)
    again = models.BertBackbone.from_preset(tmp_path)
    for old, new in zip(ours.weights, again.weights, strict=True):
        assert new.dtype == "float32"
        np.testing.assert_array_equal(keras.ops.cast(old, "float32"), new)
    with h5py.File(tmp_path / FILES[0], "r+") as content:
        bias = np.full(8, np.inf, ml_dtypes.bfloat16)
        content["layers/dense/vars/1"][...] = bias
    with pytest.raises(ValueError, match="dense/vars/1: holds NaN or inf"):
        models.BertBackbone.from_preset(tmp_path)


def test_weights_in_several_files(tmp_path):
    ours = tiny.backbone()
    ours.save_to_preset(tmp_path, max_shard_size=4e-6)
    files = sorted(tmp_path.glob("model_*.weights.h5"))
    assert len(files) > 1
    again = models.BertBackbone.from_preset(tmp_path)
    tiny.assert_same_weights(tiny.weights_of(ours), tiny.weights_of(again))
    with h5py.File(files[1], "r+") as content:
        content["mine/vars/0"] = np.ones(8, "float32")
    with pytest.raises(ValueError, match="mine/vars/0: left over"):
        models.BertBackbone.from_preset(tmp_path)
    files[1].unlink()
    with pytest.raises(ValueError, match=f"has no {files[1].name}"):
        models.BertBackbone.from_preset(tmp_path)
    for value in ({}, {"weight_map": {"a": "../b"}}, {"weight_map": {"a": 1}}):
        (tmp_path / "model.weights.json").write_text(json.dumps(value))
        with pytest.raises(ValueError, match="weights.json has no weight_map"):
            models.BertBackbone.from_preset(tmp_path)


def _small(seed):
    inputs = keras.Input((3,))
    x = keras.layers.LayerNormalization()(keras.layers.Dense(4)(inputs))
    outputs = keras.layers.Dense(2, use_bias=False)(x)
    return tiny.randomize(keras.Model(inputs, outputs), seed)


def test_flipped_bits_and_truncations(tmp_path):
    ours, again = _small(0), _small(1)
    file = tmp_path / FILES[0]
    ours.save_weights(file)
    whole = file.read_bytes()
    expected = tiny.weights_of(ours)
    generator = np.random.default_rng(0)
    # Most of the file is room for more.
    places = np.flatnonzero(np.frombuffer(whole, "uint8"))
    damaged = [
        whole[:length] for length in generator.integers(len(whole), size=8)
    ]
    for place in generator.choice(places, 32):
        content = bytearray(whole)
        content[place] ^= 1 << generator.integers(8)
        damaged.append(bytes(content))
    refused = 0
    for content in damaged:
        file.write_bytes(content)
        try:
            read_encoder_weights(again, tmp_path)
        except ValueError as error:
            assert str(file) in str(error)
            refused += 1
            continue
        # HDF5 has no checksum of one weight's values, nor of their place in
        # the file; no other weight may change.
        found = tiny.weights_of(again)
        same = map(np.array_equal, expected, found)
        assert sum(same) >= len(found) - 1
        assert all(np.isfinite(value).all() for value in found)
    assert 8 <= refused < len(damaged)
