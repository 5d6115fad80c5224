"""Ids and lengths that an encoder has no embedding for."""

import encoders
import heads
import numpy as np
import pytest
import tiny
from on_backend import compiled

import tf_distill as td
from tf_distill.distillation import tapped
from tf_distill.models import BertBackbone


def spoilt(inputs, name, value):
    inputs = {key: x.copy() for key, x in inputs.items()}
    inputs[name][1, 2] = value
    return inputs


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("token_ids", 20, "`token_ids` has 20 in row 1, position 2.*20 words"),
        ("token_ids", -1, "`token_ids` has -1 in row 1, position 2"),
        ("segment_ids", 2, "`segment_ids` has 2 .* 2 segments"),
        ("mask_positions", 5, "`mask_positions` has 5 .* rows have 5 tokens"),
        ("mask_positions", -1, "`mask_positions` has -1"),
    ],
)
def test_ids_out_of_range(name, value, message):
    ours = heads.task("BertMaskedLM")
    good = heads.batch(ours)
    wrong = spoilt(good, name, value)
    labels = np.zeros((4, 3), "int32")
    ours.compile(run_eagerly=True)
    for use in (
        lambda: ours(wrong),
        lambda: ours(inputs=wrong),
        lambda: ours.predict(wrong, verbose=0),
        lambda: ours.evaluate(wrong, labels, verbose=0),
        lambda: ours.fit(wrong, labels, verbose=0),
        lambda: ours.fit(
            good, labels, validation_data=(wrong, labels), verbose=0
        ),
    ):
        with pytest.raises(ValueError, match=message):
            use()
    ours(good)


def test_an_encoder_alone_checks_too():
    with pytest.raises(ValueError, match="belongs to this model"):
        tiny.backbone()(spoilt(tiny.batch(), "token_ids", 99))
    inputs = tiny.batch()
    del inputs["segment_ids"]
    with pytest.raises(ValueError, match="20 words"):
        encoders.distil_bert()(spoilt(inputs, "token_ids", 20))


def test_an_empty_batch_has_nothing_wrong():
    tiny.backbone()({k: x[:0] for k, x in tiny.batch().items()})


@pytest.mark.parametrize("family", heads.BACKBONES)
def test_a_sequence_longer_than_the_positions(family):
    ours = heads.BACKBONES[family]()
    long, fits = (
        {name: tiny.batch((2, 4), width)[name] for name in ours.input}
        for width in (13, 12)
    )
    message = "13 tokens is longer than the 12 positions"
    with pytest.raises(ValueError, match=message):
        ours(long)
    # Also where the length is seen in a graph, and where layers are tapped.
    with pytest.raises(ValueError, match=message):
        compiled(ours)(long)
    with pytest.raises(ValueError, match=message):
        tapped(ours, ["embeddings"])(long)
    ours(fits)


@pytest.mark.parametrize("family", heads.BACKBONES)
def test_heads_that_do_not_divide(family):
    width = {"MobileBert": 4}.get(family, 8)
    with pytest.raises(ValueError, match=f"cannot share a width of {width}"):
        heads.BACKBONES[family](num_heads=3, num_layers=1)


@pytest.mark.parametrize("family", heads.BACKBONES)
@pytest.mark.parametrize("num_layers", [0, -1])
def test_no_layers(family, num_layers):
    with pytest.raises(ValueError, match=f"`num_layers` is {num_layers}, but"):
        heads.BACKBONES[family](num_layers=num_layers)


def test_tables_do_not_begin_with_the_same_numbers():
    # One unseeded initializer for several layers gives all of them one draw.
    ours = BertBackbone(**tiny.SIZES)
    tables = [
        ours.token_embedding.embeddings.numpy()[:2],
        ours.position_embedding.position_embeddings.numpy()[:2],
        ours.segment_embedding.embeddings.numpy(),
    ]
    assert not np.allclose(tables[0], tables[1])
    assert not np.allclose(tables[0], tables[2])
    assert not np.allclose(tables[1], tables[2])


def distilled(student, **kwargs):
    match = td.LogitMatch(td.losses.SoftCrossEntropy())
    return td.Distiller(student, tiny.classifier(), [match], **kwargs)


def batches(token_ids, lengths, **kwargs):
    """Rows that lie end to end, as `encode` makes them."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.array(token_ids, "int32")
    encoded = td.data.Encoded(ids, 0 * ids, offsets, max_length=16)
    labels = np.zeros(len(lengths), "int32")
    return td.data.BucketedBatches(encoded, labels, batch_size=2, **kwargs)


@pytest.mark.parametrize(
    ("wrong", "lengths", "message"),
    [
        ([2, 5, 3, 2, 20, 3], [3, 3], "has 20 in row 1, position 1.*20 words"),
        ([2, 5, 3, 2, 5, -1], [3, 3], "has -1 in row 1, position 2"),
        ([5] * 16, [3, 13], "13 tokens is longer than the 12 positions"),
    ],
)
def test_rows_under_batches(wrong, lengths, message):
    classifier, distiller = tiny.classifier(), distilled(tiny.classifier())
    good, wrong = batches([2, 5, 3, 2, 6, 3], [3, 3]), batches(wrong, lengths)
    for model in (classifier, distiller):
        model.compile(run_eagerly=True)
        for use in (
            lambda model=model: model.fit(wrong, verbose=0),
            lambda model=model: model.evaluate(wrong, verbose=0),
            lambda model=model: model.predict(wrong, verbose=0),
            lambda model=model: model.fit(
                good, validation_data=wrong, verbose=0
            ),
        ):
            with pytest.raises(ValueError, match=message):
                use()


def test_a_distiller_checks_what_its_teacher_reads():
    distiller = distilled(
        tiny.classifier(vocabulary_size=30), teacher_inputs="teacher_"
    )
    distiller.compile(run_eagerly=True)
    both = spoilt(tiny.batch(), "token_ids", 20)
    both |= {f"teacher_{name}": x for name, x in both.items()}
    for use in (distiller.fit, distiller.evaluate):
        with pytest.raises(ValueError, match="has 20 .* 20 words"):
            use(both, verbose=0)
    distiller.predict(both, verbose=0)  # the student's alone


def test_a_longer_sequence_after_one_that_fits():
    ours = tiny.classifier()
    ours.predict(tiny.batch((2, 4), 12), verbose=0)  # traced for any length
    with pytest.raises(ValueError, match="13 tokens is longer than the 12"):
        ours.predict(tiny.batch((2, 4), 13), verbose=0)


def test_a_row_of_padding():
    inputs = spoilt(tiny.batch(), "padding_mask", 1)
    inputs["padding_mask"][2] = 0
    for model in (tiny.backbone(), tiny.classifier()):
        with pytest.raises(ValueError, match="0 all along row 2"):
            model(inputs)
