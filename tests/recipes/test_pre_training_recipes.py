"""Pre-training on a little text, and what a task's recipe makes of it."""

import itertools
import random
import shutil
import types
import warnings

import glue_recipes_data as tiny_glue
import keras_hub
import numpy as np
import pytest

import tf_distill as td


@pytest.fixture(autouse=True, scope="module")
def eagerly():
    with tiny_glue.eagerly() as compile_for_graphs:
        yield compile_for_graphs


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pre_training")
    tiny_glue.write_encoder(folder / "bert", hidden_dim=24)
    draw = random.Random(0)
    for name, count in (("corpus", 12), ("held_out", 4)):
        documents = [
            "\n".join(
                tiny_glue.sentence(draw, draw.random() < 0.5) + "."
                for _ in range(6)
            )
            for _ in range(count)
        ]
        (folder / f"{name}.txt").write_text("\n\n".join(documents) + "\n")
    td.data.prepare_corpus(
        itertools.islice(
            td.data.read_documents(folder / "corpus.txt", "blank_line"), 8
        ),
        folder / "pairs",
        tokenizer(tiny_glue.WORDS),
        max_length=24,
        pairs=True,
        block_characters=200,
    )
    return folder


def tokenizer(words):
    return keras_hub.models.BertTokenizer(words, lowercase=True)


def settings(place, run, **others):
    return {
        "corpus": place / "corpus.txt",
        "layout": "blank_line",
        "max_length": 24,
        "batch_size": 8,
        "run": place / run,
        **others,
    }


def held_out(place):
    text = place / "held_out.txt"
    return {"held_out": text, "held_out_layout": "blank_line"}


@pytest.mark.parametrize(
    "kind, cls",
    [
        ("distil_bert", td.models.DistilBertTextClassifier),
        pytest.param(
            "bert", td.models.BertTextClassifier, marks=pytest.mark.slow
        ),
    ],
)
def test_distil_bert(place, kind, cls):
    module = tiny_glue.recipe("distil_bert_pretrain")
    run = place / f"student-{kind}"
    module.main(
        module.Config(
            teacher=str(place / "bert"),
            teacher_epochs=1,
            teacher_trains="head",
            student_kind=kind,
            epochs=2,
            **held_out(place),
            # Neither model tells next sentences, which the corpus has.
            **settings(place, run, corpus=place / "pairs"),
        )
    )
    _, rows = tiny_glue.results(run)
    assert list(rows) == ["teacher", "student"]
    for row in rows.values():
        assert 0 <= row["masked_lm_accuracy"] <= 1
    assert rows["student"]["parameters"] < rows["teacher"]["parameters"]
    assert "pipeline_tag: fill-mask\n" in (run / "README.md").read_text()
    # The encoder stayed, the head learnt.
    before, after = (
        td.models.BertMaskedLM.from_preset(folder)
        for folder in (place / "bert", run / "teacher")
    )
    tiny = [x.backbone.get_weights() for x in (before, after)]
    assert all((a == b).all() for a, b in zip(*tiny, strict=True))
    heads = [x.layers[-1].get_weights() for x in (before, after)]
    assert any((a != b).any() for a, b in zip(*heads, strict=True))
    # A task's recipe finds the class that fits.
    students = tiny_glue.recipe("students")
    found = students.student_class(
        str(run / "student"), td.models.BertTextClassifier
    )
    student = found.from_preset(run / "student", num_classes=2)
    assert type(student) is cls
    assert student.backbone.num_layers == 1
    assert student.preprocessor.tokenizer.get_vocabulary() == tiny_glue.WORDS


def test_tiny_bert(place):
    module = tiny_glue.recipe("tiny_bert_general")
    run = place / "general"
    module.main(
        module.Config(
            teacher=str(place / "bert"),
            student="half",
            smoke=True,
            **settings(place, run),
        )
    )
    config, rows = tiny_glue.results(run)
    corpus = td.data.PreparedCorpus(run / "corpus")
    assert config["sequences"] == len(corpus) > 8
    student = td.models.TinyBertTextClassifier.from_preset(
        run / "student", num_classes=3
    )
    assert student.preprocessor is not None
    assert student.backbone.num_layers == 1
    assert student.backbone.hidden_dim == 24


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["progressive", "joint", "auxiliary"])
def test_mobile_bert(place, schedule):
    module = tiny_glue.recipe("mobile_bert")
    run = place / schedule
    module.main(
        module.Config(
            tokenizer=str(place / "bert"),
            schedule=schedule,
            layers=2,
            hidden_dim=16,
            embedding_dim=8,
            teacher_bottleneck_dim=24,
            teacher_intermediate_dim=32,
            bottleneck_dim=8,
            intermediate_dim=16,
            **held_out(place),
            **settings(place, run),
        )
    )
    _, rows = tiny_glue.results(run)
    assert list(rows) == ["teacher", "student"]
    stages = sorted(p.name for p in (run / "stages" / "student").glob("*-*"))
    transfer = {
        "progressive": ["01-block-1", "02-block-2", "03-pre-training"],
        "joint": ["01-transfer", "02-pre-training"],
        "auxiliary": ["01-pre-training"],
    }
    assert stages == transfer[schedule]
    student = td.models.MobileBertTextClassifier.from_preset(
        run / "student", num_classes=2
    )
    assert student.backbone.bottleneck_dim == 8


def test_a_teacher_without_a_head_is_refused(place):
    corpora = tiny_glue.recipe("corpora")
    model = td.models.BertMaskedLM.from_preset(place / "bert")
    model.backbone.save_to_preset(place / "encoder")
    model.preprocessor.tokenizer.save_to_preset(place / "encoder")
    with pytest.raises(ValueError, match="--teacher-epochs 1"):
        corpora.read_masked_lm(str(place / "encoder"), False)
    assert corpora.read_masked_lm(str(place / "encoder"), True).preprocessor


def read_pairs(place, words=tiny_glue.WORDS, **changes):
    """What the recipes read of a prepared corpus, by other options."""
    config = {"corpus": place / "pairs", "max_length": 24, "documents": None}
    config = types.SimpleNamespace(**{**config, "smoke": False, **changes})
    return tiny_glue.recipe("corpora").read_corpus(config, tokenizer(words))


def test_a_prepared_corpus_is_what_the_options_say(place):
    assert len(read_pairs(place)) > 8
    others = [*tiny_glue.WORDS[:5], *reversed(tiny_glue.WORDS[5:])]
    with pytest.raises(ValueError, match="another tokenizer.*vocabulary"):
        read_pairs(place, others)
    with pytest.raises(ValueError, match="pass --max-length 24, or"):
        read_pairs(place, max_length=32)
    with pytest.raises(ValueError, match="--documents 2: .* is prepared"):
        read_pairs(place, documents=2)


def test_smoke_takes_a_few_examples(place, monkeypatch):
    module = tiny_glue.recipe("prepared_corpora")
    monkeypatch.setattr(module, "SMOKE_EXAMPLES", 5)
    whole = read_pairs(place)
    few = read_pairs(place, smoke=True, documents=20)
    assert len(few) == 5 < len(whole)
    theirs = whole.pad(range(5), 24)
    batches = td.data.BucketedBatches(
        few, few.next_sentence_labels, batch_size=5, shuffle=False
    )
    inputs, labels = batches[0]
    rows = batches.rows(0)
    length = inputs["token_ids"].shape[1]
    for name, values in inputs.items():
        np.testing.assert_array_equal(values, theirs[name][rows, :length])
    np.testing.assert_array_equal(labels, whole.next_sentence_labels[rows])
    ids = theirs["token_ids"][theirs["padding_mask"] == 1].tolist()
    counts = [ids.count(word) for word in range(len(tiny_glue.WORDS))]
    assert few.token_counts().tolist() == counts


def test_a_corpus_that_is_not_whole_is_not_read_as_text(place, tmp_path):
    folder = tmp_path / "pairs"
    shutil.copytree(place / "pairs", folder)
    (folder / "vocab.txt").write_text("\n".join(tiny_glue.WORDS))
    (folder / "config.json").write_text('{"recipe": "prepare_corpus"}')
    # In the order that they are written in.
    for missing in ("index.json", "shard-*.safetensors", "corpus.json"):
        for path in folder.glob(missing):
            path.unlink()
        with pytest.raises(FileNotFoundError, match="to its end"):
            read_pairs(tmp_path)


def test_next_sentences_need_pairs(place):
    corpora = tiny_glue.recipe("corpora")
    config = types.SimpleNamespace(batch_size=4, seed=0, corpus="single")
    words = tokenizer(tiny_glue.WORDS)
    pairs = read_pairs(place)
    data = corpora.masked_batches(config, pairs, words, next_sentence=True)
    assert set(data[0][1]) == {"masked_lm", "next_sentence"}
    pairs.next_sentence_labels = None
    with pytest.raises(ValueError, match="single holds single sequences"):
        corpora.masked_batches(config, pairs, words, next_sentence=True)


def test_only_a_new_head_is_refused(place, monkeypatch):
    """A warning that has the word in it is shown, and nothing else."""
    read = td.models.BertMaskedLM.from_preset

    def warns(preset):
        warnings.warn("The head of the file is old.", stacklevel=2)
        return read(preset)

    monkeypatch.setattr(td.models.BertMaskedLM, "from_preset", warns)
    corpora = tiny_glue.recipe("corpora")
    for trained_here in (False, True):
        with pytest.warns(UserWarning, match="file is old"):
            corpora.read_masked_lm(str(place / "bert"), trained_here)
