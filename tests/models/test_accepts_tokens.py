import keras
import numpy as np
import pytest
import tiny

from tf_distill.models import BertTextClassifier

tf = pytest.importorskip(
    "tensorflow", reason="KerasHub's preprocessors run on TensorFlow"
)

TEXT = ["the cat sat", "a bad dog ran", "good cat", "the bad dogs"] * 2
LABELS = np.array([0, 1, 0, 1] * 2)
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0] * 2)


class Batches(keras.utils.PyDataset):
    def __init__(self, *data):
        super().__init__()
        self.data = data

    def __len__(self):
        return 2

    def __getitem__(self, step):
        rows = slice(step * 4, step * 4 + 4)
        return keras.tree.map_structure(lambda x: x[rows], self.data)


def tokens():
    return {name: np.array(x) for name, x in tiny.preprocessor()(TEXT).items()}


def dataset(*data):
    return tf.data.Dataset.from_tensor_slices(data).batch(4)


def dataset_of_text(*data):
    return dataset(TEXT, *data[1:])


def train(*args, **kwargs):
    ours = tiny.classifier(
        num_classes=2, num_layers=1, preprocessor=tiny.preprocessor()
    )
    ours.compile(optimizer=keras.optimizers.SGD(0.1), run_eagerly=True)
    arguments = {"shuffle": False, "verbose": 0, **kwargs}
    history = ours.fit(*args, **arguments).history
    return history, tiny.weights_of(ours)


def test_all_ways_to_give_the_data_are_one():
    expected, weights = train(
        TEXT, LABELS, batch_size=4, validation_data=(TEXT, LABELS)
    )
    assert set(expected) == {
        f"{part}{name}"
        for part in ("", "val_")
        for name in ("loss", "sparse_categorical_accuracy")
    }
    assert expected["loss"] != expected["val_loss"]
    x = tokens()
    for other in (
        train(x, LABELS, batch_size=4, validation_data=(x, LABELS)),
        train(Batches(x, LABELS), validation_data=Batches(x, LABELS)),
        train(dataset(x, LABELS), validation_data=dataset(x, LABELS)),
        train(
            dataset_of_text(x, LABELS),
            validation_data=dataset_of_text(x, LABELS),
        ),
        train(Batches(x, LABELS), validation_data=(x, LABELS)),
        train(x, LABELS, batch_size=4, validation_data=Batches(x, LABELS)),
        train(x, LABELS, batch_size=4, validation_data=dataset(x, LABELS)),
    ):
        assert set(other[0]) == set(expected)
        for name in expected:
            np.testing.assert_allclose(other[0][name], expected[name], 1e-5)
        for ours, theirs in zip(other[1], weights, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_text_to_validate_beside_tokens_to_train_on():
    expected, _ = train(
        TEXT, LABELS, batch_size=4, validation_data=(TEXT, LABELS, WEIGHTS)
    )
    for data in ((TEXT, LABELS, WEIGHTS), (tokens(), LABELS, WEIGHTS)):
        found, _ = train(tokens(), LABELS, batch_size=4, validation_data=data)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5)


def test_sample_weights_pass_by_too():
    x = tokens()
    expected, _ = train(TEXT, LABELS, sample_weight=WEIGHTS, batch_size=4)
    plain, _ = train(TEXT, LABELS, batch_size=4)
    assert not np.allclose(expected["loss"], plain["loss"])
    for other, _ in (
        train(x, LABELS, sample_weight=WEIGHTS, batch_size=4),
        train(Batches(x, LABELS, WEIGHTS)),
        train(dataset(x, LABELS, WEIGHTS)),
    ):
        np.testing.assert_allclose(other["loss"], expected["loss"], 1e-5)


def test_evaluate_and_predict():
    ours = tiny.classifier(
        num_classes=2, num_layers=1, preprocessor=tiny.preprocessor()
    )
    ours.compile(run_eagerly=True)
    x = tokens()
    expected = np.asarray(ours(x))
    for data in (TEXT, x, Batches(x), dataset(x)):
        np.testing.assert_allclose(
            ours.predict(data, verbose=0), expected, atol=1e-6
        )
    loss = ours.evaluate(TEXT, LABELS, verbose=0)
    for args in ((x, LABELS), (Batches(x, LABELS),), (dataset(x, LABELS),)):
        np.testing.assert_allclose(ours.evaluate(*args, verbose=0), loss, 1e-5)


def test_batches_wider_than_the_preprocessor_stay_so():
    ours = tiny.classifier(num_classes=2, preprocessor=tiny.preprocessor(4))
    wide = tiny.batch((10, 9))
    np.testing.assert_allclose(
        ours.predict(wide, verbose=0), ours(wide), atol=1e-6
    )


def test_without_a_preprocessor_tokens_are_all_there_is():
    ours = tiny.classifier(num_classes=2)
    assert isinstance(ours, BertTextClassifier)
    ours.compile(run_eagerly=True)
    ours.train_on_batch(tokens(), LABELS)
    with pytest.raises(ValueError, match="preprocessor|token_ids|string"):
        ours.predict(TEXT, verbose=0)
