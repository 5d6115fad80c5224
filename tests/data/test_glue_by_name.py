import importlib.util
import json
import subprocess
import sys
import types

import pytest

from tf_distill.data import read_glue


def test_without_tensorflow_datasets(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(
        ImportError, match=r"glue/rte.*\[data\].*clone of tf_distill.*folder"
    ):
        read_glue("RTE", "dev")


class FakeDatasets:
    """What of TensorFlow Datasets is used; its orders are not GLUE's."""

    features = types.SimpleNamespace(ClassLabel=types.SimpleNamespace)

    def builder(self, name):
        assert name == "glue/mnli"
        names = ("contradiction", "entailment", "neutral")
        self.info = types.SimpleNamespace(
            features={"label": self.features.ClassLabel(names=names)}
        )
        return self

    def download_and_prepare(self):
        pass

    def as_dataset(self, split):
        labels = {"validation_mismatched": (2, 0), "test_matched": (-1, -1)}
        second, first = labels[split]
        return [
            {"premise": b"b", "hypothesis": b"y", "label": second, "idx": 1},
            {"premise": b"\xc3\xa9", "hypothesis": b"x", "label": first}
            | {"idx": 0},
        ]

    def as_numpy(self, rows):
        return rows


def test_by_name_classes_go_by_name_and_rows_by_place(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", FakeDatasets())
    table = read_glue("MNLI", "dev_mismatched")
    assert (table.texts, table.second_texts) == (["\u00e9", "b"], ["x", "y"])
    names = [table.label_names[label] for label in table.labels]
    assert names == ["contradiction", "neutral"]
    assert table.label_names[0] == "entailment"
    table = read_glue("MNLI", "test_matched")
    assert table.labels is None


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_datasets") is None,
    reason="needs the extra data",
)
def test_by_name():
    """TensorFlow Datasets' own mock, in a process of its own."""
    code = """
import json
import tensorflow_datasets as tfds
from tf_distill.data import GLUE_TASKS, read_glue
found = {}
with tfds.testing.mock_data(num_examples=7):
    for task in GLUE_TASKS.values():
        for split in task.splits:
            table = read_glue(task, split)
            found[f"{task.name} {split}"] = [
                len(table), len(table.second_texts or ()),
                table.labels is None, table.label_names,
            ]
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    for name, (rows, seconds, unlabelled, names) in found.items():
        task, split = name.split()
        assert rows == 7
        assert seconds == (0 if task in ("CoLA", "SST-2") else 7)
        assert unlabelled == ("test" in split)
        assert (names is None) == (task == "STS-B")
    assert len(found) == 8 * 3 + 5 + 1
