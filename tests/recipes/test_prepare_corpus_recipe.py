"""Text to a prepared corpus from the command line, and once more."""

import json

import glue_recipes_data as tiny_glue
import numpy as np
import pytest

import tf_distill as td


def test_trains_a_vocabulary_prepares_and_goes_on(tmp_path, capsys):
    recipe = tiny_glue.recipe("prepare_corpus")
    generator = np.random.default_rng(0)
    words = "we went home and saw the old town again today".split()
    lines = [
        " ".join(generator.choice(words, generator.integers(15, 60))) + "."
        for _ in range(120)
    ]
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(lines))

    def run(**changes):
        settings = {
            "corpus": (text,),
            "output": tmp_path / "corpus",
            "vocabulary_size": 60,
            "max_length": 32,
            "pairs": True,
            "workers": 1,
            "smoke": True,
        }
        recipe.main(recipe.Config(**{**settings, **changes}))
        return {
            path.name: path.stat().st_mtime_ns
            for path in (tmp_path / "corpus").iterdir()
        }

    # A name misspelt leaves nothing that would refuse the right one.
    with pytest.raises(FileNotFoundError, match="txet"):
        run(corpus=(tmp_path / "txet.txt",))
    assert not (tmp_path / "corpus").exists()
    first = run()
    assert str(tmp_path / "corpus") in capsys.readouterr().out
    corpus = td.data.PreparedCorpus(tmp_path / "corpus")
    results = json.loads((tmp_path / "corpus" / "results.json").read_text())
    assert results["examples"] == len(corpus) > 90  # of a hundred documents
    assert results["tokens"] == corpus.lengths.sum()
    assert results["text_megabytes"] > 0 and results["padding"] < 0.5
    vocabulary = (tmp_path / "corpus" / "vocab.txt").read_text().split()
    assert {"went", "##w"} <= set(vocabulary)
    assert corpus.token_counts()[vocabulary.index("[UNK]")] == 0
    second = run()
    assert all(
        second[name] == time
        for name, time in first.items()
        if name.startswith(("shard", "vocab"))
    )
    with pytest.raises(ValueError, match="another vocabulary_size.*--output"):
        run(vocabulary_size=50)
