"""The augmentation's recipe, on tiny files."""

import dataclasses
import json

import glue_recipes_data as tiny_glue
import pytest

import tf_distill as td


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augment")
    tiny_glue.write_glue(folder / "glue", rows=20)
    tiny_glue.write_encoder(folder / "bert")
    (folder / "glove.txt").write_text("cats 1 0\ndogs 1 0.1\ncows 0 1\n")
    return folder


def test_pairs_and_going_on(place, monkeypatch):
    module = tiny_glue.recipe("tiny_bert_augment")
    config = module.Config(
        task="RTE",
        data=place / "glue",
        masked_lm=str(place / "bert"),
        glove=place / "glove.txt",
        copies=3,
        candidates=4,
        run=place / "run",
    )
    monkeypatch.setattr(module, "PART", 8)
    write, calls = module.write_part, []

    def stops(path, *others):
        calls.append(path.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(path, *others)

    monkeypatch.setattr(module, "write_part", stops)
    with pytest.raises(KeyboardInterrupt):
        module.main(config)
    assert not (config.run / "augmented.jsonl").exists()
    module.main(config)
    numbers = [0, 1, 1, 2]  # the first part was not made again
    assert calls == [f"part-{number:05d}.jsonl" for number in numbers]
    whole = (config.run / "augmented.jsonl").read_text()
    assert not list(config.run.glob("*part*"))
    lines = [json.loads(line) for line in whole.splitlines()]
    table = td.data.read_glue("RTE", "train", place / "glue")
    assert sorted({line["row"] for line in lines}) == list(range(20))
    for row in range(20):
        own = [line for line in lines if line["row"] == row]
        assert own[0]["text"] == table.texts[row]
        assert own[0]["second_text"] == table.second_texts[row]
        assert 1 <= len(own) <= 4
        for line in own:
            assert line["label"] == table.label_names[table.labels[row]]
            words = len(table.texts[row].split())
            assert len(line["text"].split()) == words
    # The student reads it as it is.
    read = td.data.read_table(
        config.run / "augmented.jsonl", "text", second_text="second_text"
    )
    assert len(read) == len(lines) > 40


QQP = """id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate
0\t1\t2\tcats ran\tdogs ran\t1
1\t3\t4\tcats sat\t\t0
2\t5\t6\t \tdogs sat\t0
3\t7\t8\tcows sat\tcats\t1
"""


def test_empty_texts_and_other_data(place, tmp_path):
    """QQP's empty questions get no line; a run has one set of texts."""
    (tmp_path / "QQP").mkdir()
    for split in ("train", "dev"):
        (tmp_path / "QQP" / f"{split}.tsv").write_text(QQP)
    module = tiny_glue.recipe("tiny_bert_augment")
    config = module.Config(
        task="QQP",
        data=tmp_path,
        glove=place / "glove.txt",
        copies=4,
        run=tmp_path / "run",
    )
    module.main(config)
    written = config.run / "augmented.jsonl"
    lines = written.read_text().splitlines()
    rows = [json.loads(line)["row"] for line in lines]
    assert set(rows) == {0, 3} and len(rows) > 2
    read = td.data.read_table(written, "text", second_text="second_text")
    assert len(read) == len(rows)

    module.main(config)  # the same again
    train = tmp_path / "QQP" / "train.tsv"
    train.write_text(QQP.replace("cows sat\tcats\t1", "cows sat\tcats\t0"))
    with pytest.raises(ValueError, match="another content of --data"):
        module.main(config)
    train.write_text(QQP)
    # A folder of vectors counts by its contents, as a file does.
    config = dataclasses.replace(config, glove=tmp_path, run=tmp_path / "other")
    table = td.data.read_glue("QQP", "train", tmp_path)
    found = []
    for content in ("one", "two"):
        (tmp_path / "vectors.npy").write_text(content)
        found.append(module.digests(config, table))
    assert found[0]["data"] == found[1]["data"]
    assert found[0]["glove"] != found[1]["glove"]


def test_a_model_that_cannot_tell_words_is_refused(tmp_path):
    folder = tiny_glue.write_encoder(tmp_path / "bert")
    (tmp_path / "bert" / "task.json").unlink()
    module = tiny_glue.recipe("tiny_bert_augment")
    config = module.Config(task="RTE", masked_lm=folder)
    with pytest.raises(ValueError, match="no head of BertMaskedLM.*noise"):
        module.make_augmenter(config)
    model = td.models.BertMaskedLM(tiny_glue.encoder())
    model.save_to_preset(tmp_path / "words")
    config = module.Config(task="RTE", masked_lm=str(tmp_path / "words"))
    with pytest.raises(ValueError, match="words has no tokenizer"):
        module.make_augmenter(config)
