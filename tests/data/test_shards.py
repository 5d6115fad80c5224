"""Shards: the same bytes from any number of processes, whole or not at all."""

import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import corpus_run
import numpy as np
import pytest
import safetensors.numpy
from corpus_run import Make, files, write

from tf_distill.data.shard_file import (
    DamagedShardError,
    read_shard,
    write_shard,
)
from tf_distill.data.shard_writer import corpus_blocks

HERE = pathlib.Path(__file__).parent
ARRAYS = {
    "ids": np.arange(7, dtype="uint16"),
    "flags": np.array([1, 0, 1], "uint8"),
    "none": np.zeros(0, "int32"),
    "table": np.arange(6, dtype="int32").reshape(2, 3),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The shards of a corpus, made by one process; not to be changed."""
    folder = tmp_path_factory.mktemp("shards")
    write(folder)
    return folder


def copied(folder, tmp_path):
    return pathlib.Path(shutil.copytree(folder, tmp_path / "copy"))


def test_a_file_comes_back_mapped_and_is_safetensors(tmp_path):
    path = tmp_path / "a.safetensors"
    write_shard(path, ARRAYS, {"from": "here", "number": [1, 2]})
    arrays, notes = read_shard(path)
    library = safetensors.numpy.load_file(path)
    assert arrays.keys() == library.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        for found in (arrays[name], library[name]):
            np.testing.assert_array_equal(found, array, strict=True)
    assert (notes["from"], notes["number"]) == ("here", [1, 2])
    for array in arrays.values():
        assert not array.flags.owndata and not array.flags.writeable
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_every_byte_is_checked(tmp_path):
    path = tmp_path / "a.safetensors"
    write_shard(path, ARRAYS, {"from": "here"})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedShardError, match=r"a\.safetensors"):
            read_shard(path)
    _, notes = read_shard_of(path, whole)
    for place in range(len(whole)):
        turned = bytearray(whole)
        turned[place] ^= 1
        try:
            _, found = read_shard_of(path, bytes(turned))
        except DamagedShardError:
            continue
        # A note may be another; the arrays may not.
        assert found != notes


def read_shard_of(path, data):
    path.write_bytes(data)
    return read_shard(path)


@pytest.mark.parametrize("data", [b"", b"\xff" * 20, b"\2" + b"\0" * 7 + b"[]"])
def test_what_is_no_shard_is_refused(tmp_path, data):
    with pytest.raises(DamagedShardError, match="no whole shard"):
        read_shard_of(tmp_path / "a", data)


@pytest.mark.parametrize("size", [1, 60, 400, 10**6])
def test_blocks_are_the_corpus_in_order_with_two_documents_each(size):
    documents = corpus_run.documents()
    for number in range(1, 9):
        blocks = list(corpus_blocks(iter(documents[:number]), size))
        assert [d for block in blocks for d in block] == documents[:number]
        assert number == 1 or all(len(block) > 1 for block in blocks)
    for block in list(corpus_blocks(documents, size))[:-1]:
        sizes = list(itertools.accumulate(len(d.text) for d in block))
        assert sizes[-1] >= size and (len(block) == 2 or sizes[-2] < size)
    assert not list(corpus_blocks([], size))


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_writes_the_same_bytes(
    written, tmp_path, workers
):
    entries = write(tmp_path, workers=workers)
    expected = files(written)
    assert files(tmp_path) == expected
    assert len(expected) > 8 and len(entries) == len(expected) - 2
    assert sum(entry["documents"] for entry in entries) == 60
    assert json.loads(expected["index.json"])["shards"] == entries


def test_killed_and_run_again(written, tmp_path):
    # Found out in the shard that holds the word, not in the first.
    process = subprocess.Popen(
        [sys.executable, HERE / "corpus_run.py", tmp_path, "w60"],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    )
    assert process.wait() == -signal.SIGKILL
    expected, kept = files(written), files(tmp_path)
    assert 2 < len(kept) < len(expected) and "index.json" not in kept
    assert all(expected[name] == data for name, data in kept.items())
    # What that process left goes; what a living or a distant one has, stays.
    host = socket.gethostname()
    left, alive, distant = (
        tmp_path / f".shard-00007.safetensors.{made_by}.partial"
        for made_by in (
            f"{process.pid}-{host}",
            f"{os.getppid()}-{host}",
            f"{process.pid}-not{host}",
        )
    )
    for partial in (left, alive, distant):
        partial.write_bytes(b"half")
    times = {n: (tmp_path / n).stat().st_mtime_ns for n in kept}
    write(tmp_path)
    assert not left.exists()
    alive.unlink(), distant.unlink()
    assert files(tmp_path) == expected
    assert times == {n: (tmp_path / n).stat().st_mtime_ns for n in kept}


def test_a_killed_worker_is_told_and_nothing_is_half_written(written, tmp_path):
    with pytest.raises(RuntimeError, match="A worker was killed.*run again"):
        write(tmp_path, workers=2, make=Make(killed_at="w60"))
    expected = files(written)
    kept = {n for n in files(tmp_path) if not n.endswith(".partial")}
    assert "index.json" not in kept
    assert all(files(tmp_path)[name] == expected[name] for name in kept)
    write(tmp_path, workers=1)
    assert files(tmp_path) == expected


def test_an_error_in_the_text_or_a_shard_leaves_what_is_whole(
    written, tmp_path
):
    with pytest.raises(ValueError, match="there is w60"):
        write(tmp_path, make=Make(raises_at="w60"))
    expected = files(written)
    kept = files(tmp_path)
    assert "shard-00002.safetensors" in kept and "index.json" not in kept
    assert all(expected[name] == data for name, data in kept.items())
    # An earlier, complete corpus too.
    folder = copied(written, tmp_path)
    (folder / "shard-00000.safetensors").unlink()
    with pytest.raises(ValueError, match="there is w2"):
        write(folder, make=Make(raises_at="w2"))
    assert files(folder).keys() == expected.keys() - {"shard-00000.safetensors"}
    write(folder)
    assert files(folder) == expected


def test_only_damaged_shards_are_made_again(written, tmp_path):
    folder = copied(written, tmp_path)
    path = folder / "shard-00003.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    write(folder)
    assert files(folder) == files(written)
    times = [p.stat().st_mtime_ns for p in sorted(folder.glob("shard*"))]
    assert max(times) == times[3]
    # Whatever would make one now would raise.
    write(folder, make=Make(raises_at="w1"))
    assert files(folder) == files(written)


def test_other_settings_and_another_text_are_refused(written, tmp_path):
    folder = copied(written, tmp_path)
    with pytest.raises(ValueError, match="a was 1 and is 2; b was None and is"):
        write(folder, settings={"a": 2, "b": [3]})
    with pytest.raises(ValueError, match=r"shard-0000\d.*another text"):
        write(folder, number=30)
    with pytest.raises(ValueError, match=r"shard-000\d\d.*another text"):
        write(folder, number=61)
    assert files(folder) == files(written)
    (folder / "corpus.json").write_text("[]")
    with pytest.raises(ValueError, match=r"corpus\.json is damaged"):
        write(folder)
    with pytest.raises(ValueError, match="workers=0"):
        write(tmp_path / "b", workers=0)


def test_a_text_that_ends_with_a_block_is_extended_but_not_cut(tmp_path):
    blocks = list(corpus_blocks(corpus_run.documents(), corpus_run.BLOCK))
    number = sum(len(block) for block in blocks[:3])
    write(tmp_path, number=number)
    assert len(list(tmp_path.glob("shard*"))) == 3
    write(tmp_path)
    assert len(list(tmp_path.glob("shard*"))) == len(blocks)
    with pytest.raises(ValueError, match="shard-00003.*another text"):
        write(tmp_path, number=number)


def test_a_full_disk_is_told(written, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="corpus.json could not be .*No space"):
        write(tmp_path)
    assert not files(tmp_path)
    monkeypatch.undo()
    write(tmp_path)
    assert files(tmp_path) == files(written)
