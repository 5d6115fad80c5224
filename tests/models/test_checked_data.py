"""Ids, rows and lengths that are found out batch by batch."""

import functools
import pickle
import types

import keras
import numpy as np
import pytest
import tiny
from on_backend import needs_tensorflow

import tf_distill as td
from tf_distill.models.accepts_tokens import AcceptsTokens
from tf_distill.models.checked_data import checked
from tf_distill.models.token_checks import check_tokens

MESSAGES = {
    "id": "`token_ids` has 20 in row 1, position 2.*20 words",
    "row": "`padding_mask` is 0 all along row 1",
    "length": "13 tokens is longer than the 12 positions",
}
ENCODER = types.SimpleNamespace(
    vocabulary_size=20, num_segments=2, max_sequence_length=12
)
LABELS = np.array([0, 1] * 6)


class Own(keras.utils.PyDataset):
    """A user's own: three batches of four rows."""

    def __init__(self, data, **kwargs):
        super().__init__(**kwargs)
        self.data, self.calls = data, []

    def __len__(self):
        return 3

    def __getitem__(self, step):
        rows = slice(step * 4, step * 4 + 4)
        return keras.tree.map_structure(lambda x: x[rows], self.data)

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


class Bag(AcceptsTokens, keras.Model):
    """The smallest model with a vocabulary, which compiles in no time."""

    vocabulary_size, max_sequence_length = 20, 12


def bag():
    names = ("token_ids", "segment_ids", "padding_mask")
    inputs = {n: keras.Input((None,), dtype="int32", name=n) for n in names}
    x = keras.layers.Embedding(20, 2)(inputs["token_ids"])
    x = keras.layers.GlobalAveragePooling1D()(x)
    return Bag(inputs, keras.layers.Dense(2)(x))


def inputs_with(fault, row=1):
    x = tiny.batch((5,) * 12, width=13 if fault == "length" else 8)
    if fault == "id":
        x["token_ids"][row, 2] = 20
    if fault == "row":
        x["padding_mask"][row] = 0
    return x


def tf_data(data):
    tf = pytest.importorskip("tensorflow", reason="of tf.data")
    return tf.data.Dataset.from_tensor_slices(data).batch(4)


def generated(data):
    return (batch for batch in Own(data))


def check(inputs):
    check_tokens(ENCODER, inputs)


# On JAX Keras holds a model's weights for as long as `fit` runs, and does not
# give them back where a batch raises.
@needs_tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dataset", [tf_data, Own])
def test_a_compiled_model_is_spared_what_it_cannot_read(dataset, jit_compile):
    model = bag()
    model.compile(
        keras.optimizers.SGD(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    good = dataset((inputs_with(None), LABELS))
    model.fit(good, verbose=0, shuffle=False)
    before = tiny.weights_of(model)
    for fault, message in MESSAGES.items():
        wrong = (inputs_with(fault), LABELS)
        with pytest.raises(ValueError, match=message):
            model.fit(dataset(wrong), verbose=0, shuffle=False)
        with pytest.raises(ValueError, match=message):
            model.evaluate(dataset(wrong), verbose=0)
        with pytest.raises(ValueError, match=message):
            model.predict(dataset(wrong[:1]), verbose=0)
    tiny.assert_same_weights(before, tiny.weights_of(model))
    with pytest.raises(ValueError, match=MESSAGES["row"]):
        model.fit(
            good,
            validation_data=dataset((inputs_with("row"), LABELS)),
            verbose=0,
            shuffle=False,
        )


@pytest.mark.parametrize("dataset", [tf_data, Own, generated])
@pytest.mark.parametrize("fault", MESSAGES)
def test_the_last_batch_is_looked_at_too(dataset, fault):
    # The length is every batch's.
    seen, at = [], 0 if fault == "length" else 2
    data = dataset((inputs_with(fault, row=9), LABELS))
    with pytest.raises(ValueError, match=MESSAGES[fault]):
        with checked(check, data) as (data,):
            for batch in data:
                seen.append(batch)
    assert len(seen) == at


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_thread_of_the_pipeline_finds(workers):
    # Keras itself asks for no more than the first two batches.
    model = bag()
    model.compile(run_eagerly=True)
    wrong = Own((inputs_with("id", row=9),), workers=workers)
    with pytest.raises(ValueError, match=MESSAGES["id"]) as raised:
        model.predict(wrong, verbose=0)
    assert raised.type is ValueError


@needs_tensorflow
def test_a_distiller_and_an_encoder_look_too():
    student = tiny.classifier(num_layers=1)
    match = td.LogitMatch(td.losses.SoftCrossEntropy())
    distiller = td.Distiller(student, tiny.classifier(), [match])
    distiller.compile(run_eagerly=True)
    for dataset in (tf_data, Own, generated):
        for use in (
            functools.partial(distiller.fit, shuffle=False),
            distiller.evaluate,
            distiller.predict,
            student.backbone.predict,
        ):
            data = dataset((inputs_with("row"),))
            with pytest.raises(ValueError, match=MESSAGES["row"]):
                use(data, verbose=0)


@needs_tensorflow
def test_a_teacher_with_ids_of_its_own():
    match = td.LogitMatch(td.losses.SoftCrossEntropy())
    distiller = td.Distiller(
        tiny.classifier(vocabulary_size=30),
        tiny.classifier(),
        [match],
        teacher_inputs="teacher_",
    )
    distiller.compile(run_eagerly=True)
    both = inputs_with("id")
    both |= {f"teacher_{name}": x for name, x in both.items()}
    for dataset in (tf_data, Own):
        with pytest.raises(ValueError, match=MESSAGES["id"]):
            distiller.fit(dataset((both,)), verbose=0, shuffle=False)


@needs_tensorflow
def test_a_pipeline_stays_what_it_was():
    import tensorflow as tf

    x = inputs_with(None)
    for data in (x, (x,), (x, LABELS), (x, LABELS, LABELS)):
        before = tf.data.Dataset.from_tensor_slices(data).batch(5)
        for dataset in (
            before,
            before.repeat(),
            before.filter(lambda *_: 1 > 0),
        ):
            with checked(check, dataset) as (after,):
                assert after.element_spec == dataset.element_spec
                assert after.cardinality() == dataset.cardinality()
                one, other = next(iter(dataset)), next(iter(after))
                tf.nest.map_structure(np.testing.assert_array_equal, one, other)


@needs_tensorflow
def test_text_passes_by():
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(["the cat"])
    texts = ["the cat"], [], None, (["the cat"], [0])
    with checked(check, dataset, *texts) as found:
        assert found[0] is dataset
        assert all(a is b for a, b in zip(found[1:], texts, strict=True))


def test_a_dataset_keeps_its_epochs_and_its_workers():
    own = Own((inputs_with(None), LABELS), workers=3, max_queue_size=7)
    with checked(check, own) as (data,):
        assert (data.workers, data.max_queue_size) == (3, 7)
        assert not data.use_multiprocessing
        assert data.num_batches == 3
        data.on_epoch_begin()
        data.on_epoch_end()
        assert own.calls == ["begin", "end"]
        assert isinstance(pickle.loads(pickle.dumps(data)), Own)


def test_other_errors_are_left_alone():
    def fails():
        yield (inputs_with(None),)
        raise KeyError("the user's own")

    with pytest.raises(KeyError, match="own"):
        with checked(check, fails()) as (data,):
            list(data)
