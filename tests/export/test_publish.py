import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from tf_distill.export.publish import (
    publish_file,
    publish_files,
    publish_folder,
    publish_version,
)


def versions(folder):
    return sorted(path.name for path in folder.iterdir())


def write_a(path):
    (path / "a").write_text("a")


def test_versions_increase_from_the_highest(tmp_path):
    for name in ["2", "10", "notes", "7.old"]:
        (tmp_path / name).mkdir()
    version = publish_version(tmp_path, write_a)
    assert version == tmp_path / "11"
    assert (version / "a").read_text() == "a"
    assert versions(tmp_path) == ["10", "11", "2", "7.old", "notes"]


def test_a_failure_leaves_what_was_there(tmp_path):
    publish_version(tmp_path / "model", write_a)

    def fail(path):
        write_a(path)
        raise KeyboardInterrupt

    for folder in ["model", "new"]:
        with pytest.raises(KeyboardInterrupt):
            publish_version(tmp_path / folder, fail)
    assert versions(tmp_path) == ["model"]
    assert versions(tmp_path / "model") == ["1"]


def test_an_export_during_an_export(tmp_path):
    inner = []

    def outer(path):
        (path / "who").write_text("outer")
        inner.append(publish_version(tmp_path, write_a))

    outer_version = publish_version(tmp_path, outer)
    assert inner == [tmp_path / "1"] and outer_version == tmp_path / "2"
    assert versions(tmp_path / "1") == ["a"]
    assert (outer_version / "who").read_text() == "outer"


def test_a_name_taken_at_the_last_moment(tmp_path, monkeypatch):
    rename = os.rename

    def rename_after_somebody_else(source, target):
        if target == tmp_path / "1":
            target.mkdir()
            (target / "theirs").touch()
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename_after_somebody_else)
    assert publish_version(tmp_path, write_a) == tmp_path / "2"
    assert versions(tmp_path / "1") == ["theirs"]


PUBLISH = """
import pathlib, sys
from tf_distill.export.publish import publish_version
for number in range(20):
    name = f"{sys.argv[2]}-{number}"
    publish_version(sys.argv[1], lambda path: (path / name).touch())
"""


def test_exports_at_once_do_not_clobber_each_other(tmp_path):
    command = [sys.executable, "-c", PUBLISH, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(i)]) for i in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert sorted(map(int, versions(tmp_path))) == list(range(1, 61))
    names = [os.listdir(version) for version in tmp_path.iterdir()]
    assert {len(name) for name in names} == {1}
    assert len({name[0] for name in names}) == 60


HANG = """
import sys, time
from tf_distill.export.publish import publish_version
def hang(path):
    (path / "saved_model.pb").touch()
    print("started", flush=True)
    time.sleep(60)
publish_version(sys.argv[1], hang)
"""


def test_a_killed_export_is_cleaned_up_by_the_next_one(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HANG, str(tmp_path)], stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline() == b"started\n"
        # While it lives nobody touches it.
        assert publish_version(tmp_path, write_a).name == "1"
        (unfinished,) = tmp_path.glob(".unfinished-*")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not any(name.isdigit() for name in versions(unfinished))
    assert versions(tmp_path) == [unfinished.name, "1"]
    assert publish_version(tmp_path, write_a).name == "2"
    assert versions(tmp_path) == ["1", "2"]


def test_a_folder_that_cannot_be_written_to(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for folder in [file, file / "below", "/proc/1/nowhere"]:
        with pytest.raises(ValueError, match="cannot write to .*folder"):
            publish_version(folder, write_a)
    with pytest.raises(ValueError, match="cannot write to .*file"):
        publish_file(file / "below.tflite", b"")
    with pytest.raises(ValueError, match="cannot write to .*new"):
        publish_folder(tmp_path / "new" / "model", _full)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match="cannot write to .*folder"):
        publish_file(tmp_path / "folder", b"")
    assert versions(tmp_path) == ["file", "folder"]
    assert file.read_text() == "mine"


def test_what_others_call_unfinished_is_theirs(tmp_path):
    for name in [".unfinished-", ".unfinished-notes", ".unfinished-a-b-c"]:
        (tmp_path / name).touch()
    (tmp_path / "\u00b2").mkdir()  # a digit, and no number
    assert publish_version(tmp_path, write_a).name == "1"
    assert len(versions(tmp_path)) == 5


def files_of_a_model(folder, size):
    return {
        folder / "vocab.txt": b"a",
        folder / "model.json": b"b",
        folder / "model.tflite": b"c" * size,
    }


def test_files_that_belong_together_on_a_full_disk(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(ValueError, match="model.tflite'.*make room"):
            publish_files(files_of_a_model(tmp_path / "new" / "folder", 9999))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert versions(tmp_path) == []


@pytest.mark.parametrize("moves", [0, 1, 2])
def test_a_kill_leaves_no_model_with_anothers_words(
    tmp_path, monkeypatch, moves
):
    """The old model is whole with its own files, or it is gone."""
    old = {path: b"old" for path in files_of_a_model(tmp_path, 1)}
    publish_files(old)
    left = iter(range(moves))
    replace = os.replace

    def replace_or_die(source, target):
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_or_die)
    with pytest.raises(KeyboardInterrupt):
        publish_files(files_of_a_model(tmp_path, 1))
    assert versions(tmp_path) == ["model.json", "vocab.txt"]


def test_a_file_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "file"
    publish_file(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _full)
        with pytest.raises(ValueError, match="No space left"):
            publish_file(path, b"new")
    assert path.read_bytes() == b"old" and versions(path.parent) == ["file"]
    before = time.time() - 1
    publish_file(path, b"new")
    assert path.read_bytes() == b"new" and path.stat().st_mtime > before


def _full(*_):
    raise OSError(28, "No space left on device")
