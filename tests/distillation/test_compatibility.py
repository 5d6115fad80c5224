import keras
import keras_hub
import pytest
import tiny

import tf_distill as td
from tf_distill.distillation.compatibility import check_vocabularies


def preprocessor(words):
    return keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(words, lowercase=True),
        sequence_length=8,
    )


def test_sizes_that_differ():
    with pytest.raises(
        ValueError, match="student has a vocabulary of 21 .* teacher of 20"
    ):
        check_vocabularies(tiny.classifier(vocabulary_size=21), tiny.backbone())


def test_words_that_differ():
    swapped = [*tiny.WORDS]
    swapped[7], swapped[8] = swapped[8], swapped[7]
    student, teacher = (
        tiny.classifier(preprocessor=preprocessor(words))
        for words in (swapped, tiny.WORDS)
    )
    with pytest.raises(ValueError, match="different words, first at id 7"):
        check_vocabularies(student, teacher)
    shorter = tiny.classifier(preprocessor=preprocessor(tiny.WORDS[:-2]))
    with pytest.raises(ValueError, match="first at id 18"):
        check_vocabularies(shorter, teacher)


def test_equal_words_and_models_without_any():
    inputs = keras.Input((3,))
    plain = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    student, teacher = (
        tiny.classifier(preprocessor=preprocessor(tiny.WORDS)) for _ in "ab"
    )
    check_vocabularies(student, teacher)
    check_vocabularies(student, tiny.classifier())
    check_vocabularies(student, plain)


def test_a_model_cannot_teach_itself():
    model = tiny.classifier()
    match = td.LogitMatch(td.losses.LogitMSE())
    with pytest.raises(ValueError, match="both teacher and student"):
        td.Distiller(model, model, [match])
    with pytest.raises(ValueError, match="both teacher and student"):
        td.Distiller(model, {"a": tiny.classifier(seed=3), "b": model}, [match])
