"""Pre-training on a little text, and what a task's recipe makes of it."""

import random

import glue_recipes_data as tiny_glue
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
    return folder


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
            **settings(place, run),
        )
    )
    _, rows = tiny_glue.results(run)
    assert list(rows) == ["teacher", "student"]
    for row in rows.values():
        assert 0 <= row["masked_lm_accuracy"] <= 1
    assert rows["student"]["parameters"] < rows["teacher"]["parameters"]
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
