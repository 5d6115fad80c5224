"""Tiny teachers and GLUE files for the recipes, and a way to run them."""

import contextlib
import importlib
import json
import pathlib
import random
import sys
from unittest import mock

import keras
import keras_hub

import tf_distill as td

RECIPES = pathlib.Path(__file__).parents[2] / "recipes"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS += "the a cat dog sat ran red blue big small good bad so very".split()
WORDS += ["##s", "."]


def recipe(name):
    """A recipe's module; recipes import what lies beside them."""
    if str(RECIPES) not in sys.path:
        sys.path.append(str(RECIPES))
    return importlib.import_module(name)


@contextlib.contextmanager
def eagerly():
    """Trains without graphs; gives the `compile` that would make them.

    A few steps of a tiny model are over before a graph is traced.
    """
    compile = keras.Model.compile

    def eager(self, *arguments, **options):
        compile(self, *arguments, **{**options, "run_eagerly": True})

    with mock.patch.object(keras.Model, "compile", eager):
        yield compile


def encoder(num_layers=2, hidden_dim=16):
    return td.models.BertBackbone(
        vocabulary_size=len(WORDS),
        num_layers=num_layers,
        num_heads=2,
        hidden_dim=hidden_dim,
        intermediate_dim=32,
        max_sequence_length=32,
    )


def write_encoder(folder, cls=td.models.BertMaskedLM, **sizes):
    """A folder with an encoder, a tokenizer, and no head for a task."""
    # Fixtures of modules come before a test's own seed.
    keras.utils.set_random_seed(0)
    tokenizer = keras_hub.models.BertTokenizer(WORDS, lowercase=True)
    preprocessor = td.models.BertMaskedLMPreprocessor(
        tokenizer, sequence_length=16
    )
    cls(encoder(**sizes), preprocessor=preprocessor).save_to_preset(folder)
    return str(folder)


def sentence(draw, good):
    """Some words, one of which says good or bad."""
    words = draw.choices(WORDS[5:15], k=draw.randint(2, 9))
    return " ".join([*words, "good" if good else "bad"])


def write_glue(folder, rows=48):
    """CoLA, RTE and STS-B, with tests without labels for two of them."""
    draw = random.Random(0)
    for name in ("CoLA", "RTE", "STS-B"):
        (folder / name).mkdir(parents=True)
    for split, count in (("train", rows), ("dev", 20)):
        cola, rte, sts = [], ["index\tsentence1\tsentence2\tlabel"], []
        sts.append(
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2"
            "\tsentence1\tsentence2\tscore"
        )
        for i in range(count):
            good = i % 2
            one, two = sentence(draw, good), sentence(draw, i % 3 == 0)
            cola.append(f"gj04\t{good}\t\t{one}")
            same = "entailment" if good == (i % 3 == 0) else "not_entailment"
            rte.append(f"{i}\t{one}\t{two}\t{same}")
            score = 5.0 * (good == (i % 3 == 0))
            sts.append(f"{i}\tg\tf\t2012\t1\tn\tn\t{one}\t{two}\t{score:.3f}")
        for name, lines in (("CoLA", cola), ("RTE", rte), ("STS-B", sts)):
            path = folder / name / f"{split}.tsv"
            path.write_text("\n".join(lines) + "\n")
    (folder / "RTE" / "test.tsv").write_text(
        "index\tsentence1\tsentence2\n0\tthe cat\tthe dog\n1\ta cat\tso bad\n"
    )
    (folder / "STS-B" / "test.tsv").write_text(
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1"
        "\tsentence2\n0\tg\tf\t2012\t1\tn\tn\tthe cat\tthe dog\n"
    )
    return folder


def results(run):
    """A finished run's configuration, and its rows by name."""
    found = json.loads((run / "results.json").read_text())
    return found["config"], {row["name"]: row for row in found["rows"]}
