import json
import pathlib
import re

import pytest

from tf_distill.benchmark import describe_machine, has_fast_bfloat16


def test_description_can_be_written_down():
    machine = describe_machine()
    assert json.loads(json.dumps(machine)) == machine
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", machine["tensorflow"])
    assert 0.1 < machine["memory_gib"] < 100_000
    if machine["commit"] is not None:
        assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", machine["commit"])


@pytest.mark.parametrize(
    "flags,expected",
    [
        ("fpu avx512f avx512_bf16", True),
        ("amx_bf16 amx_tile", True),
        ("fpu avx512f avx512_bf16x avx_vnni", False),
    ],
)
def test_fast_bfloat16_is_read_from_the_flags(monkeypatch, flags, expected):
    table = f"model name\t: A: B\nflags\t\t: {flags}\n\nflags\t\t: none\n"
    monkeypatch.setattr(pathlib.Path, "read_text", lambda *_, **__: table)
    assert has_fast_bfloat16() is expected
    assert describe_machine()["processor"] == "A: B"


def test_machines_without_that_table(monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(pathlib.Path, "read_text", missing)
    assert has_fast_bfloat16() is False
    assert describe_machine()["cores"] >= 1
