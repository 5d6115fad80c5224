"""Building a teacher cache: killed, full disks, damage, masked words."""

import errno
import os
import pathlib
import signal
import socket
import subprocess
import sys

import cache_run
import numpy as np
import pytest
import test_teacher_cache
import tiny

import tf_distill as td
from tf_distill import mapped_files
from tf_distill.distillation import cache_shards, cache_signals

HERE = pathlib.Path(__file__).parent
built, copied = test_teacher_cache.built, test_teacher_cache.copied


@pytest.fixture
def computed(monkeypatch):
    """How many rows the teacher was asked for, call by call."""
    calls = []
    packed = cache_signals.SignalRows.packed

    def count(self, source, epoch, rows):
        calls.append(len(rows))
        return packed(self, source, epoch, rows)

    monkeypatch.setattr(cache_signals.SignalRows, "packed", count)
    return calls


def test_killed_and_built_again(built, tmp_path, computed):
    expected = cache_run.shards(built)
    path = [str(p) for p in (HERE.parents[1], HERE, HERE.parent)]
    process = subprocess.Popen(
        [sys.executable, HERE / "cache_run.py", tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line == "written\n":
            break
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    kept = cache_run.shards(tmp_path)
    assert 0 < len(kept) < len(expected)
    assert all(kept[name] == expected[name] for name in kept)
    times = {n: (tmp_path / n).stat().st_mtime_ns for n in kept}
    host = socket.gethostname()
    partial, alive = (
        tmp_path / f".shard-00003.bin.{number}-{host}.partial"
        for number in (process.pid, os.getppid())
    )
    partial.write_bytes(b"half of a shard")
    alive.write_bytes(b"what another process is at")
    cache = cache_run.cache(tmp_path)
    with pytest.raises(ValueError, match=r"lacks \d of \d shards"):
        cache.over(cache_run.batches())
    cache.build(cache_run.batches())
    # The same bytes, of which only the missing were computed.
    assert cache_run.shards(tmp_path) == expected
    assert len(computed) == len(expected) - len(kept)
    assert times == {n: (tmp_path / n).stat().st_mtime_ns for n in kept}
    assert alive.exists() and not partial.exists()


def flip_a_bit(path, place):
    contents = bytearray(path.read_bytes())
    contents[place] ^= 1
    path.write_bytes(contents)


@pytest.mark.parametrize("place", [0, 40, 64, -1])
def test_a_flipped_bit_is_found_and_its_shard_alone_rebuilt(
    copied, place, computed
):
    expected = cache_run.shards(copied)
    flip_a_bit(copied / "shard-00001.bin", place)
    data = cache_run.cache(copied).over(cache_run.batches())
    with pytest.raises(ValueError, match="shard-00001.bin is missing or dam"):
        for index in range(len(data)):
            data[index]
    assert not computed
    cache = cache_run.cache(copied)
    cache.build(cache_run.batches())
    assert len(computed) == 1
    assert cache_run.shards(copied) == expected


def test_a_shard_of_another_place_is_not_taken(copied, computed):
    expected = cache_run.shards(copied)
    os.replace(copied / "shard-00000.bin", copied / "shard-00001.bin")
    cache_run.cache(copied).build(cache_run.batches())
    assert len(computed) == 2
    assert cache_run.shards(copied) == expected


def test_a_full_disk_leaves_whole_shards(built, tmp_path, monkeypatch):
    expected = cache_run.shards(built)
    synchronise, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 6:  # what it is of, and two shards; twice each
            raise OSError(errno.ENOSPC, "No space left on device")
        synchronise(descriptor)

    monkeypatch.setattr(cache_shards.os, "fsync", full)
    cache = cache_run.cache(tmp_path)
    with pytest.raises(OSError, match="shard-00002.bin could not") as error:
        cache.build(cache_run.batches())
    assert error.value.errno == errno.ENOSPC
    kept = cache_run.shards(tmp_path)
    assert list(kept) == ["shard-00000.bin", "shard-00001.bin"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache.json", *kept]
    monkeypatch.undo()
    cache.build(cache_run.batches())
    assert cache_run.shards(tmp_path) == expected


def test_more_shards_than_are_open_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped_files, "MOST_OPEN", 2)
    sizes = np.arange(1, 41)
    shards = cache_shards.Shards(tmp_path, "key", sizes, 1)
    contents = [bytes([n]) * n for n in sizes]
    descriptors = pathlib.Path("/dev/fd")
    if not descriptors.exists():
        pytest.skip("this system does not list a process's files")
    before = len(list(descriptors.iterdir()))
    pieces = [[np.frombuffer(content, "uint8")] for content in contents]
    for shard in range(len(shards)):
        shards.write(shard, [pieces[row] for row in shards.rows(shard)])
    assert len(shards) == 40 and shards.damaged() == []
    assert [shards.read(row).tobytes() for row in range(40)] == contents
    assert len(list(descriptors.iterdir())) <= before + 2
    # Whole, from another process: taken. Other bytes: not.
    path = shards.path(3)
    whole = path.read_bytes()
    for data in (whole, whole[:-1] + b"?"):
        path.unlink()
        path.write_bytes(data)
        os.utime(path, (len(data), data[-1]))  # whatever the clock's steps
        shards.read(9), shards.read(10)  # so that the other is closed
        if data == whole:
            assert shards.read(3).tobytes() == contents[3]
        else:
            with pytest.raises(ValueError, match="00003.bin is missing or"):
                shards.read(3)
    shards.write(3, [pieces[3]])
    assert shards.read(3).tobytes() == contents[3]


def masked(seed=0, **kwargs):
    # A mask for many, so that rows have 1 to 4 of them.
    masking = td.data.Masking(4, (0, 2, 3, 4), 20, seed, fraction=0.3)
    plain = cache_run.batches(labels=False, **kwargs)
    return td.data.MaskedBatches(plain, masking)


def masked_lm(seed, **sizes):
    sizes = {"max_sequence_length": cache_run.LONGEST, **sizes}
    encoder = tiny.backbone(seed, dropout=0.0, **sizes)
    return tiny.randomize(td.models.BertMaskedLM(encoder), seed)


def masked_distiller():
    made = td.Distiller(
        student=masked_lm(1, num_layers=1),
        teacher=masked_lm(2),
        losses=[
            td.LogitMatch(td.losses.SoftKLDivergence(temperature=2.0)),
            td.LayerMatch("hidden_states", td.losses.HiddenMSE()),
        ],
    )
    made.compile(
        "adam", loss=td.losses.MaskedLMCrossEntropy(), jit_compile=False
    )
    return made


def test_masked_words_cached_and_live_are_the_same_bits(tmp_path, capsys):
    made = masked_distiller()
    made.fit(masked(), epochs=2, shuffle=False, verbose=0)
    live = tiny.weights_of(made)
    made = masked_distiller()
    cache = td.distillation.TeacherCache(
        tmp_path, made.teacher, made.teacher_signals
    )
    cache.build(masked(), epochs=2)
    assert f"{2 * cache.size(masked()) / 1e3:.1f} kB" in capsys.readouterr().out
    names = [p.name for p in sorted(tmp_path.iterdir())]
    assert names == ["epoch-0000", "epoch-0001"]
    made.fit(cache.over(masked()), epochs=2, shuffle=False, verbose=0)
    tiny.assert_same_weights(live, tiny.weights_of(made))

    # The third epoch is not there, nor are other masks.
    third = masked()
    third.start_at(2, 0)
    with pytest.raises(ValueError, match=r"epoch-0002 lacks 1 of 1.*`epochs`"):
        cache.over(third)
    with pytest.raises(ValueError, match="masking was .*'seed': 0.* is .*: 1"):
        cache.over(masked(seed=1))
    with pytest.raises(ValueError, match="epoch was 0 and is 1"):
        second = masked()
        second.start_at(1, 0)
        (tmp_path / "epoch-0001").rename(tmp_path / "old")
        (tmp_path / "epoch-0000").rename(tmp_path / "epoch-0001")
        cache.over(second)


def test_masked_words_have_their_own_length(tmp_path):
    teacher = masked_lm(2)
    cache = td.distillation.TeacherCache(tmp_path, teacher, ["output"])
    data = masked()
    lengths = data.encoded.lengths
    words = np.maximum(1, np.rint(0.3 * lengths)).sum()
    assert cache.size(data) == 64 + 4 * 20 * int(words)
    cache.build(data)
    for index in range(3):
        inputs, _ = cache.over(data)[index]
        expected = np.asarray(
            teacher({name: inputs[name] for name in teacher.input})
        )
        there = inputs["mask_weights"] > 0
        found = inputs["teacher"]["output"]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found[there], expected[there], 1e-4, 1e-5)


def test_a_single_row_is_stored_as_one_of_several(tmp_path):
    # 5 rows in batches of 4: the last is alone.
    data = cache_run.encoded(num_rows=5)
    alone, together = (
        cache_run.cache(tmp_path / str(size), shard_bytes=10**6)
        for size in (4, 5)
    )
    alone.build(cache_run.batches(data, batch_size=4))
    together.build(cache_run.batches(data, batch_size=5))
    assert cache_run.shards(tmp_path / "4") == cache_run.shards(tmp_path / "5")
