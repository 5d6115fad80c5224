import keras
import numpy as np
import pytest

from tf_distill.data import BucketedBatches, Encoded


def encoded_of(lengths, max_length=64):
    """Rows of these lengths; a row's tokens are all its number plus one."""
    lengths = np.asarray(lengths)
    token_ids = np.repeat(np.arange(len(lengths)) + 1, lengths).astype("int32")
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Encoded(token_ids, 0 * token_ids, offsets, max_length)


def mixed_lengths(num_rows, seed=0):
    generator = np.random.default_rng(seed)
    return np.minimum(3 + generator.geometric(0.06, num_rows), 61)


def rows_of(batch):
    return batch[0]["token_ids"][:, 0] - 1


def epoch_of(batches):
    return [rows_of(batches[step]) for step in range(len(batches))]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("num_rows", [1, 7, 8, 9, 100, 1001])
def test_every_row_once_padded_to_its_batch(num_rows, shuffle):
    lengths = mixed_lengths(num_rows)
    labels = np.arange(num_rows) * 10
    weights = np.arange(num_rows) / 4
    batches = BucketedBatches(
        encoded_of(lengths, max_length=61),
        labels,
        batch_size=8,
        shuffle=shuffle,
        sample_weight=weights,
    )
    assert len(batches) == np.ceil(num_rows / 8)
    seen = []
    for inputs, y, w in batches:
        rows = inputs["token_ids"][:, 0] - 1
        width = inputs["token_ids"].shape[1]
        longest = lengths[rows].max()
        assert longest <= width < longest + 8
        assert width % 8 == 0 or width == 61  # the model has no position 62
        mask = np.arange(width) < lengths[rows][:, None]
        np.testing.assert_array_equal(inputs["padding_mask"], mask)
        np.testing.assert_array_equal(
            inputs["token_ids"], mask * (rows[:, None] + 1)
        )
        np.testing.assert_array_equal(y, labels[rows])
        np.testing.assert_array_equal(w, weights[rows])
        seen += rows.tolist()
    assert sorted(seen) == list(range(num_rows))
    np.testing.assert_array_equal(batches.order, seen)
    sizes = [len(rows) for rows in epoch_of(batches)]
    assert sorted(sizes)[1:] == [8] * (len(batches) - 1)


def shapes_of(batches):
    return [batches[i][0]["token_ids"].shape for i in range(len(batches))]


def test_epochs_differ_in_rows_but_not_in_shapes():
    encoded = encoded_of(mixed_lengths(500))
    first, second = (
        BucketedBatches(encoded, batch_size=16, seed=3, start_epoch=epoch)
        for epoch in (0, 1)
    )
    assert first.order.tolist() != second.order.tolist()
    assert sorted(shapes_of(first)) == sorted(shapes_of(second))
    assert shapes_of(first) != shapes_of(second)
    other = BucketedBatches(encoded, batch_size=16, seed=4)
    assert first.order.tolist() != other.order.tolist()
    # The rows of a batch meet others in the next epoch.
    partners = [set(rows) for rows in epoch_of(first)]
    assert sum(set(r) in partners for r in epoch_of(second)) < 3


@pytest.mark.parametrize("shuffle", [True, False])
def test_longest_batch_first_then_a_shortest(shuffle):
    encoded = encoded_of(mixed_lengths(101))
    for epoch in range(4):
        batches = BucketedBatches(
            encoded, batch_size=4, shuffle=shuffle, start_epoch=epoch
        )
        widths = [width for _, width in shapes_of(batches)]
        assert widths[0] == max(widths)
        assert widths[1] == min(widths) < max(widths)


def test_padding_fraction_is_counted_and_small():
    lengths = mixed_lengths(2000)
    batches = BucketedBatches(encoded_of(lengths))
    masks = [inputs["padding_mask"] for (inputs,) in batches]
    padding = sum((mask == 0).sum() for mask in masks)
    fraction = padding / sum(mask.size for mask in masks)
    assert batches.padding_fraction == pytest.approx(fraction)
    assert fraction < 0.5 * (1 - lengths.mean() / 64)


def test_restore():
    encoded = encoded_of(mixed_lengths(50))
    batches = BucketedBatches(encoded, batch_size=8, shuffle=False)
    rows = np.concatenate(epoch_of(batches))
    assert rows.tolist() != list(range(50))
    restored = batches.restore({"a": rows, "b": np.stack([rows, -rows], 1)})
    np.testing.assert_array_equal(restored["a"], np.arange(50))
    np.testing.assert_array_equal(restored["b"][:, 1], -np.arange(50))
    with pytest.raises(ValueError, match="expected 50 rows"):
        batches.restore(rows[:-1])
    with pytest.raises(ValueError, match="shuffle=False"):
        BucketedBatches(encoded).restore(rows)


class Recorder(keras.Model):
    """A linear classifier that notes traces, and in eager mode the rows."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)
        self.num_calls = 0
        self.rows = []

    def call(self, inputs):
        self.num_calls += 1
        mask = keras.ops.cast(inputs["padding_mask"], "float32")
        total = keras.ops.sum(mask, axis=1, keepdims=True)
        return self.dense(total)

    def train_step(self, data):
        if self.run_eagerly:
            self.rows += (np.array(data[0]["token_ids"][:, 0]) - 1).tolist()
        return super().train_step(data)


def compiled(**options):
    model = Recorder()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, **options)
    return model


def test_fit_traces_once_for_all_lengths():
    encoded = encoded_of(mixed_lengths(200))
    labels = np.arange(200) % 2
    batches = BucketedBatches(encoded, labels, batch_size=8)
    assert len({width for _, width in shapes_of(batches)}) > 4
    model = compiled()
    model.fit(batches, epochs=1, verbose=0, shuffle=False)
    calls = model.num_calls
    model.fit(batches, epochs=3, verbose=0, shuffle=False)
    assert model.num_calls == calls
    assert batches.epoch == 4


@pytest.mark.parametrize("num_rows", [3, 8, 40])
def test_fit_sees_the_epochs_in_order(num_rows):
    encoded = encoded_of(mixed_lengths(num_rows))
    labels = np.arange(num_rows) % 2
    expected = []
    for epoch in range(5, 9):
        expected += BucketedBatches(
            encoded, labels, batch_size=8, seed=1, start_epoch=epoch
        ).order.tolist()

    model = compiled(run_eagerly=True)
    batches = BucketedBatches(
        encoded, labels, batch_size=8, seed=1, start_epoch=5
    )
    # Two epochs in one call, then one each in two.
    model.fit(batches, epochs=2, verbose=0, shuffle=False)
    model.fit(batches, epochs=1, verbose=0, shuffle=False)
    model.fit(batches, epochs=1, verbose=0, shuffle=False)
    assert model.rows == expected
    assert batches.epoch == 9


def test_epoch_cut_short_is_not_counted():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    encoded = encoded_of(mixed_lengths(2000))
    batches = BucketedBatches(encoded, np.arange(2000) % 2, batch_size=8)
    model = compiled()
    model.fit(batches, epochs=3, verbose=0, shuffle=False, callbacks=[Stop()])
    assert batches.epoch == 0
    model.fit(batches, epochs=1, verbose=0, shuffle=False)  # anew, in full
    assert batches.epoch == 1


def test_class_weight_and_validation():
    encoded = encoded_of(mixed_lengths(60))
    labels = np.arange(60) % 2
    train = BucketedBatches(encoded, labels, batch_size=8)
    dev = BucketedBatches(encoded, labels, batch_size=8, shuffle=False)
    order = dev.order
    model = compiled()
    history = model.fit(
        train,
        validation_data=dev,
        epochs=2,
        class_weight={0: 1.0, 1: 0.0},
        verbose=0,
        shuffle=False,
    ).history
    assert len(history["val_loss"]) == 2
    np.testing.assert_array_equal(dev.order, order)


def test_predictions_belong_to_their_rows():
    lengths = mixed_lengths(77)
    batches = BucketedBatches(encoded_of(lengths), batch_size=8, shuffle=False)
    model = compiled()
    predictions = batches.restore(model.predict(batches, verbose=0))
    (kernel, bias) = model.dense.get_weights()
    expected = lengths[:, None] * kernel + bias
    np.testing.assert_allclose(predictions, expected, rtol=1e-5)


def test_bad_arguments():
    encoded = encoded_of([3, 4])
    with pytest.raises(ValueError, match=r"labels has shape \(3,\)"):
        BucketedBatches(encoded, np.zeros(3))
    with pytest.raises(ValueError, match="sample_weight has shape"):
        BucketedBatches(encoded, np.zeros(2), sample_weight=np.zeros(1))
    with pytest.raises(ValueError, match="without labels"):
        BucketedBatches(encoded, sample_weight=np.zeros(2))
    with pytest.raises(ValueError, match="at least 1"):
        BucketedBatches(encoded.take([]))
    with pytest.raises(ValueError, match="batch_size=0"):
        BucketedBatches(encoded, batch_size=0)


@pytest.mark.parametrize("num_rows", [9, 33, 40])
def test_start_at_gives_the_steps_that_are_left(num_rows):
    """For every step, and through Keras, which learns shapes beforehand."""
    encoded = encoded_of(mixed_lengths(num_rows, seed=4))
    labels = np.arange(num_rows) % 2
    batches = BucketedBatches(encoded, labels, batch_size=8, start_epoch=3)
    whole = epoch_of(batches)
    following = BucketedBatches(encoded, batch_size=8, start_epoch=4).order
    for step in range(len(whole)):
        # A graph is traced anew every time: of two steps that is enough.
        graph = step in (1, len(whole) - 1)
        for eager in (True, False)[: 1 + graph]:
            model = compiled(run_eagerly=eager, jit_compile=False)
            batches.start_at(3, step)
            assert len(batches) == len(whole) - step
            logs = model.fit(batches, shuffle=False, verbose=0)
            assert batches.epoch == 4
            assert len(batches) == len(whole)
            assert model.optimizer.iterations == len(whole) - step
            if eager:
                assert model.rows == np.concatenate(whole[step:]).tolist()
        np.testing.assert_array_equal(batches.order, following)
    assert np.isfinite(logs.history["loss"]).all()
    for step in (-1, len(whole)):
        with pytest.raises(ValueError, match=f"cannot start at step {step}"):
            batches.start_at(0, step)


def test_start_at_begins_an_epoch_that_was_cut_short_anew():
    batches = BucketedBatches(encoded_of(mixed_lengths(40)), batch_size=8)
    whole = epoch_of(batches)
    batches.on_epoch_begin()
    batches[0]
    batches.start_at(0)
    for found, expected in zip(epoch_of(batches), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_settings_tell_what_a_step_depends_on():
    lengths = mixed_lengths(20)
    labels = np.arange(20)

    def settings(lengths=lengths, labels=labels, **kwargs):
        made = BucketedBatches(encoded_of(lengths), labels, **kwargs)
        made.start_at(2, 0)
        return made.settings

    assert settings() == settings()
    changes = [{"batch_size": 8}, {"seed": 1}, {"multiple": 4}]
    changes += [{"shuffle": False}, {"labels": labels[::-1]}]
    changes += [{"labels": None}, {"lengths": lengths[::-1]}]
    changes += [{"sample_weight": np.ones(20)}]
    found = [settings(), *(settings(**change) for change in changes)]
    assert len({str(x) for x in found}) == len(found)
