"""Training from a teacher cache, and what a cache refuses."""

import errno
import json
import shutil

import cache_run
import keras
import numpy as np
import pairs
import pytest
import tiny

import tf_distill as td
from tf_distill.data.wrapped_batches import WrappedBatches
from tf_distill.distillation import TeacherCache


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with a cache of `cache_run.batches`; not to be written to."""
    folder = tmp_path_factory.mktemp("cache")
    cache_run.cache(folder).build(cache_run.batches())
    return folder


@pytest.fixture
def copied(built, tmp_path):
    return shutil.copytree(built, tmp_path / "copied")


def fit(made, data, epochs):
    logs = made.fit(data, epochs=epochs, shuffle=False, verbose=0).history
    return tiny.weights_of(made), logs


@pytest.fixture(scope="module")
def trained(built):
    """Two Distillers, trained live and from the cache, and their logs."""
    keras.utils.set_random_seed(0)
    live, cached = cache_run.distiller(), cache_run.distiller()
    start = tiny.weights_of(live)
    tiny.assert_same_weights(start, tiny.weights_of(cached))

    def fails(*args, **kwargs):
        raise AssertionError("the teacher was run")

    cached._teacher_taps.value.call = fails
    _, live_logs = fit(live, cache_run.batches(), 2)
    data = cache_run.cache(built).over(cache_run.batches())
    _, cached_logs = fit(cached, data, 2)
    return live, cached, start, live_logs, cached_logs


def test_cached_and_live_weights_are_the_same_bits(built, trained):
    live, cached, start, live_logs, cached_logs = trained
    assert cached.teacher_signals == cache_run.SIGNALS
    assert len(live_logs["loss"]) == 2
    assert live_logs == cached_logs
    tiny.assert_same_weights(tiny.weights_of(live), tiny.weights_of(cached))
    moved = zip(start, tiny.weights_of(cached), strict=True)
    assert max(abs(a - b).max() for a, b in moved) > 1e-2

    # Batches of other sizes, padding and order than those it was built with.
    def other():
        return cache_run.batches(batch_size=7, multiple=16, seed=8)

    cache = cache_run.cache(built)
    tiny.assert_same_weights(
        fit(live, other(), 1)[0], fit(cached, cache.over(other()), 1)[0]
    )


def test_evaluate_and_predict(built, trained):
    live, cached, *_ = trained
    plain = cache_run.batches(shuffle=False)
    data = cache_run.cache(built).over(plain)
    expected = live.evaluate(plain, verbose=0, return_dict=True)
    assert cached.evaluate(data, verbose=0, return_dict=True) == expected
    np.testing.assert_array_equal(
        cached.predict(data, verbose=0), live.predict(plain, verbose=0)
    )
    live.validate_teacher = False
    try:
        live.make_test_function(force=True)
        found = live.evaluate(data, verbose=0, return_dict=True)
    finally:
        live.validate_teacher = True
        live.make_test_function(force=True)
    assert sorted(found) == ["accuracy", "loss"]
    assert found["accuracy"] == expected["accuracy"]


def test_signals_that_are_matched_must_be_cached(built, trained):
    _, cached, *_ = trained
    data = cache_run.cache(built).over(cache_run.batches())
    inputs, labels = data[0]
    del inputs["teacher"]["hidden_states/1"]
    with pytest.raises(ValueError, match=r"lacks .*\['hidden_states/1'\]; it"):
        cached.train_on_batch(inputs, labels)


def test_signals_are_the_teacher_s_padded_with_zeros(built):
    teacher = cache_run.teacher()
    network = td.distillation.tapped(teacher, cache_run.SIGNALS[:-1])
    data = cache_run.cache(built).over(cache_run.batches(shuffle=False))
    for inputs, labels in data:
        found = inputs["teacher"]
        plain = {k: v for k, v in inputs.items() if k != "teacher"}
        expected = tiny.numpy_dict(network(plain))
        assert sorted(found) == sorted(expected)
        mask = plain["padding_mask"].astype(bool)
        both = mask[:, None, :, None] & mask[:, None, None, :]
        for name, signal in found.items():
            assert signal.dtype == "float32"
            where = np.ones_like(signal, bool)
            if name.startswith("attention"):
                where = np.broadcast_to(both, signal.shape)
            elif name != "output":
                where = np.broadcast_to(mask[..., None], signal.shape)
            np.testing.assert_allclose(
                signal[where], expected[name][where], 1e-4, 1e-5
            )
            assert not signal[~where].any()
        assert labels.shape == (len(mask),)


def test_signals_of_another_teacher_are_refused(built, trained):
    _, cached, *_ = trained
    data = cache_run.cache(built).over(cache_run.batches())
    other = cache_run.new_teacher()
    other.head.bias.assign(other.head.bias + 1.0)
    made = pairs.compiled(made=pairs.distiller(cached.student, other))
    words = "another teacher than the Distiller's: teacher weights was"
    with pytest.raises(ValueError, match=words):
        made.fit(data, verbose=0)
    with pytest.raises(ValueError, match=words):
        made.fit(cache_run.batches(), validation_data=data, verbose=0)
    for wrapped in (data, WrappedBatches(data)):
        with pytest.raises(ValueError, match=words):
            made.evaluate(wrapped, verbose=0)


def test_size_is_said_before_and_is_what_is_written(tmp_path, capsys):
    lengths = cache_run.encoded().lengths
    # Teacher: 12 wide, 2 heads: embeddings and hidden states, an attention map,
    # 3 logits; 4 bytes each, and 64 a file.
    payload = 4 * int((2 * 12 * lengths + 2 * lengths**2 + 3).sum())
    cache = cache_run.cache(tmp_path)
    cache.build(cache_run.batches())
    files = cache_run.shards(tmp_path)
    assert sum(map(len, files.values())) == payload + 64 * len(files)
    assert len(files) > 3
    longest = 4 * (2 * 12 * 16 + 2 * 16**2 + 3)
    assert max(map(len, files.values())) <= 64 + 12_000 + longest
    said = capsys.readouterr().out
    assert f"47 rows, {(payload + 64 * len(files)) / 1e3:,.1f} kB" in said
    assert f"{len(files)} of {len(files)} shards to compute" in said
    cache.build(cache_run.batches())
    assert f"0 of {len(files)} shards to compute" in capsys.readouterr().out


def test_a_disk_too_small_is_refused(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    needed = cache_run.cache(tmp_path).size(cache_run.batches())
    words = rf"needs {needed / 1e3:.1f} kB.* has 1\.0 kB free"
    with pytest.raises(OSError, match=words) as error:
        cache_run.cache(tmp_path).build(cache_run.batches())
    assert error.value.errno == errno.ENOSPC
    assert not cache_run.shards(tmp_path)


@pytest.mark.parametrize(
    "change, what",
    [
        ("weights", "teacher weights was"),
        ("layers", "teacher layers was"),
        ("data", "data was"),
        ("dtype", "dtype was float32 and is float16"),
        ("signals", "signals was"),
        ("shard_bytes", "shard_bytes was 12000 and is 30000"),
    ],
)
def test_a_stale_cache_is_refused(built, change, what):
    before = cache_run.shards(built)
    teacher, data, kwargs = cache_run.teacher(), cache_run.batches(), {}
    if change == "weights":
        teacher = cache_run.new_teacher()
        teacher.head.bias.assign(teacher.head.bias + [0.0, 1e-6, 0.0])
    elif change == "layers":  # the same weights, with another activation
        other = cache_run.new_teacher(activation="relu")
        other.set_weights(teacher.get_weights())
        teacher = other
    elif change == "data":
        encoded = cache_run.encoded()
        encoded.token_ids[7] = 5 + (encoded.token_ids[7] - 4) % 15
        data = cache_run.batches(encoded)
    elif change == "signals":
        kwargs["signals"] = ["output"]
    else:
        kwargs[change] = {"dtype": "float16", "shard_bytes": 30_000}[change]
    cache = cache_run.cache(built, teacher, **kwargs)
    for use in (cache.over, cache.build):
        with pytest.raises(ValueError, match=what) as error:
            use(data)
        assert str(error.value).count(" was ") == 1  # nothing but that
    assert cache_run.shards(built) == before


def test_the_same_teacher_built_again_is_the_same(built):
    # Its layers have other numbers in their names.
    teacher = cache_run.new_teacher()
    teacher(tiny.batch(), training=True)  # its dropout has moved on
    cache_run.cache(built, teacher).over(cache_run.batches())


def test_not_built_or_incomplete_is_refused(tmp_path, copied):
    with pytest.raises(ValueError, match="call `build`"):
        cache_run.cache(tmp_path / "new").over(cache_run.batches())
    assert not (tmp_path / "new").exists()
    (copied / "shard-00002.bin").unlink()
    with pytest.raises(ValueError, match=r"lacks 1 of \d+ shards"):
        cache_run.cache(copied).over(cache_run.batches())


def test_signals_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(ValueError, match="its blocks are 0 to 1"):
        cache_run.cache(tmp_path, signals=["hidden_states/2"])
    with pytest.raises(ValueError, match="at least one signal"):
        cache_run.cache(tmp_path, signals=[])
    with pytest.raises(ValueError, match="float16 or bfloat16"):
        cache_run.cache(tmp_path, dtype="int8")


def test_a_nan_signal_is_refused(tmp_path):
    teacher = cache_run.new_teacher()
    teacher.head.bias.assign([0.0, np.nan, 0.0])
    cache = cache_run.cache(tmp_path, teacher, ["output"])
    with pytest.raises(ValueError, match="'output' is NaN for row"):
        cache.build(cache_run.batches())
    assert not cache_run.shards(tmp_path)


def test_damaged_contents_are_told(copied):
    (copied / "cache.json").write_text("{")
    with pytest.raises(ValueError, match="cache.json is damaged. Delete this"):
        cache_run.cache(copied).over(cache_run.batches())
    (copied / "cache.json").unlink()
    before = cache_run.shards(copied)
    cache_run.cache(copied).build(cache_run.batches())
    assert cache_run.shards(copied) == before
    assert json.loads((copied / "cache.json").read_text())["rows"] == 47


@pytest.mark.parametrize(
    "dtype, error", [("float16", 1e-3), ("bfloat16", 8e-3)]
)
def test_half_the_size(tmp_path, built, dtype, error):
    cache = cache_run.cache(tmp_path, dtype=dtype)
    cache.build(cache_run.batches())
    sizes = [
        sum(len(x) - 64 for x in cache_run.shards(folder).values())
        for folder in (tmp_path, built)
    ]
    assert 2 * sizes[0] == sizes[1]
    rounded = cache.over(cache_run.batches())[0][0]["teacher"]
    exact = cache_run.cache(built).over(cache_run.batches())[0][0]["teacher"]
    for name, signal in exact.items():
        assert rounded[name].dtype == "float32"
        np.testing.assert_allclose(rounded[name], signal, rtol=error, atol=1e-6)
        assert (rounded[name] != signal).any()
    # A stage that went on with these would not be the one that was begun.
    plain = cache_run.batches().settings
    assert cache.over(cache_run.batches()).settings == {
        **plain,
        "teacher_cache": {"dtype": dtype, "top_k": None},
    }


def test_top_k_keeps_the_largest_and_the_mass_of_the_rest(tmp_path, built):
    teacher = cache_run.new_teacher(num_classes=6)
    full, top = (
        TeacherCache(tmp_path / name, teacher, ["output"], **kwargs)
        for name, kwargs in (("full", {}), ("top", {"top_k": 2}))
    )
    found = []
    for cache in (full, top):
        cache.build(cache_run.batches())
        found.append(cache.over(cache_run.batches())[0][0]["teacher"])
    exact, kept = (x["output"].astype("float64") for x in found)
    assert [sorted(x) for x in found] == [["output"], ["output"]]
    for row, other in zip(exact, kept, strict=True):
        largest = np.argsort(row)[-2:]
        np.testing.assert_array_equal(row[largest], other[largest])
        rest = np.setdiff1d(np.arange(6), largest)
        assert len(set(other[rest])) == 1
        p, q = tiny.softmax(row), tiny.softmax(other)
        np.testing.assert_allclose(q[largest], p[largest], 1e-6)
        np.testing.assert_allclose(q[rest], p[rest].mean(), 1e-5)
    for bad, signals in ((0, ["output"]), (6, ["output"]), (2, ["embeddings"])):
        with pytest.raises(ValueError, match="fewer than the values of an"):
            TeacherCache(tmp_path, teacher, signals, top_k=bad)


def test_cached_batches_are_a_dataset_like_the_other(built):
    inner = cache_run.batches()
    data = cache_run.cache(built).over(inner)
    assert len(data) == len(inner) == 12
    assert data.settings == inner.settings
    data.start_at(1, 10)
    assert (len(data), inner.epoch) == (2, 1)
    data.on_epoch_begin()
    inputs, _ = data[1]
    rows = inner.rows(1)
    np.testing.assert_array_equal(inner[1][0]["token_ids"], inputs["token_ids"])
    assert len(inputs["teacher"]["output"]) == len(rows)
    data.on_epoch_end()
    assert (len(data), data.epoch) == (12, 2)
