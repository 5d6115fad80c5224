"""Models, data and Distillers of the workloads.

Letters: B batch, T tokens, N rows.
"""

import pathlib
import time

import keras
import numpy as np

import tf_distill as td
from tf_distill.methods import distil_bert, mobile_bert, tiny_bert
from tf_distill.models.architectures import (
    architecture,
    architecture_arguments,
)

FIRST_WORD = 10  # ids below are special ones
MASK_TOKEN = 4
FEATURE = "feature"


class Parts:
    """What a workload trains, on what.

    Args:
        job: see `tf_distill_loop.Side`.

    Attributes:
        teacher, student: models of random weights.
        batches: `BucketedBatches` or `MaskedBatches` of random words.
    """

    def __init__(self, job):
        self.job = job
        make = {"a": _masked_lms, "c": _classifiers, "k": _flat_classifiers}
        make = make.get(job["method"], _encoders)
        self.teacher, self.student = make(job)
        self.encoded = _encoded(job)
        self.batches = _batches(job, self.encoded)

    def build(self):
        """The Distiller of the workload's stage, compiled."""
        method, batches = self.job["method"], self.batches
        models = self.student, self.teacher
        if method == "a":
            stages = distil_bert.pre_training(*models, batches)
        elif method == "b":
            stages = tiny_bert.general(*models, batches)
        elif method == "c":
            stages = tiny_bert.task(*models, batches)
        elif method == "d":
            stages = mobile_bert.pre_training(
                *models, batches, schedule="joint", initialize=False
            )
        else:
            return _soft_labels_and_feature(*models)
        return stages[0].build()

    def training_batches(self, distiller):
        """The batches, with the teacher's signals if they are cached."""
        if not self.job["cached"]:
            return self.batches
        cache = td.distillation.TeacherCache(
            pathlib.Path(self.job["folder"], f"cache_{self.job['dtype']}"),
            distiller.teacher,
            distiller.teacher_signals,
        )
        cache.build(self.batches)
        return cache.over(self.batches)


class Repeated(keras.utils.PyDataset):
    """The first epoch's batches, over and over, for so many steps.

    Args:
        batches: dataset with a length.
        steps: int.
    """

    def __init__(self, batches, steps):
        super().__init__()
        self._batches = batches
        self._steps = steps

    def __len__(self):
        return self._steps

    def __getitem__(self, index):
        return self._batches[index % len(self._batches)]


def seconds_of_fit(model, data, epochs=1):
    """Trains; returns the seconds from the first epoch's begin to its end.

    Of several epochs the sum. Not what comes after: when `fit` lets go of an
    epoch's iterator, TensorFlow 2.21 waits, one time in three, until tf.data's
    tuning wakes by itself, which takes up to as long again, at most a minute.
    Whom it hits is chance.
    """
    timer = _EpochTimer()
    model.fit(data, epochs=epochs, shuffle=False, verbose=0, callbacks=[timer])
    return timer.seconds


class _EpochTimer(keras.callbacks.Callback):
    seconds = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.perf_counter() - self._start


def _masked_lms(job):
    return tuple(
        getattr(td.models, _named(job, who, "MaskedLM"))(_encoder(job, who))
        for who in ("teacher", "student")
    )


def _encoders(job):
    return _encoder(job, "teacher"), _encoder(job, "student")


def _classifiers(job):
    teacher, student = _encoders(job)
    return (
        td.models.BertTextClassifier(teacher, num_classes=2),
        td.models.TinyBertTextClassifier(student, num_classes=2),
    )


def _flat_classifiers(job):
    """Classifiers with the last hidden states as a layer, "feature".

    Where keras.distillation finds it: not inside of a nested model, nor as
    what such a model returns. Without dropout, of which it has another mask
    in its second pass.
    """
    models = []
    for who in ("teacher", "student"):
        encoder = _encoder(job, who, dropout=0.0)
        logits = keras.layers.Dense(2, dtype="float32", name="logits")
        feature = keras.layers.Identity(name=FEATURE)(
            encoder.output["sequence_output"]
        )
        outputs = logits(encoder.pooler(feature[:, 0, :]))
        models.append(keras.Model(encoder.input, outputs, name=who))
    return tuple(models)


def _soft_labels_and_feature(student, teacher):
    """What `keras_distillation_loop` does: half the labels, half the rest."""
    distiller = td.Distiller(
        student,
        teacher,
        [
            td.LogitMatch(td.losses.SoftKLDivergence(2.0), weight=0.5),
            td.SignalMatch(
                f"layer/{FEATURE}",
                f"layer/{FEATURE}",
                td.losses.HiddenMSE(),
                weight=0.5,
            ),
        ],
    )
    distiller.compile(
        keras.optimizers.AdamW(1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        loss_weights=[0.5],
        jit_compile=False,
    )
    return distiller


def _encoder(job, who, **more):
    name, overrides = job[who]
    cls = getattr(td.models, architecture(name).backbone)
    return cls(**architecture_arguments(name, **overrides, **more))


def _named(job, who, task):
    return architecture(job[who][0]).backbone.replace("Backbone", task)


def _encoded(job):
    """Random words: what they are makes no difference to the time."""
    words = architecture_arguments(job["teacher"][0], **job["teacher"][1])
    lengths = job["lengths"] or [job["length"]] * job["rows"]
    generator = np.random.default_rng(0)
    ids = generator.integers(
        FIRST_WORD, words["vocabulary_size"], sum(lengths), dtype="int32"
    )
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return td.data.Encoded(ids, np.zeros_like(ids), offsets, job["length"])


def _batches(job, encoded):
    labels = None
    if job["method"] == "k":
        labels = np.arange(len(encoded)) % 2
    batches = td.data.BucketedBatches(encoded, labels, batch_size=job["batch"])
    if job["method"] != "a":
        return batches
    size = architecture_arguments(job["teacher"][0], **job["teacher"][1])
    masking = td.data.Masking(
        MASK_TOKEN, tuple(range(FIRST_WORD)), size["vocabulary_size"]
    )
    return td.data.MaskedBatches(batches, masking)
