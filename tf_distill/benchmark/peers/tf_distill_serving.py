"""Our own ways to serve a classifier.

Letters: B batch, T tokens.
"""

import pathlib

REQUIRES = ["keras", "tensorflow", "keras_hub", "ai_edge_litert"]
INSTALL = "pip install -e '.[litert]'"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LITERT = {"litert": None, "litert_int8": "int8_dynamic"}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


class Side:
    """Predictions of one batch, in one of our formats.

    Args:
        job: dict of `architecture`, a name and overrides of its arguments;
            `batch`, `length`, `threads`; `folder`, for files; and `form`:
            "keras", which makes the model and writes it in every other form,
            "tokens" or "text" (the SavedModel's signatures), "litert" or
            "litert_int8".

    Attributes:
        facts: dict of `logits`, `(B, 2)`; of Keras `flops` of a prediction.
    """

    def __init__(self, job):
        import numpy as np

        folder = pathlib.Path(job["folder"])
        self.facts = {}
        if job["form"] == "keras":
            predict = self._written(job, folder)
        else:
            predict = _read(job, folder)
        with np.load(folder / "inputs.npz") as inputs:
            self.inputs = dict(inputs)
        if job["form"] == "text":
            texts = (folder / "texts.txt").read_text("utf-8").splitlines()
            self.inputs = {"text": texts}
        self.predict = predict
        outputs = self.predict(self.inputs)
        if isinstance(outputs, dict):
            outputs = outputs["logits"]
        self.facts["logits"] = outputs.tolist()
        self.run(3)

    def run(self, steps):
        """Predicts so many times."""
        for _ in range(steps):
            self.predict(self.inputs)

    def _written(self, job, folder):
        import keras

        from tf_distill import export
        from tf_distill.benchmark.flops import count_flops
        from tf_distill.benchmark.predictions import keras_predictor

        keras.utils.set_random_seed(0)
        shape = job["batch"], job["length"]
        model, words = _classifier(*job["architecture"], job["length"])
        _write_inputs(folder, words, *shape)
        export.saved_model(model, folder / "saved_model")
        for form, quantization in LITERT.items():
            # Of this shape alone, as Keras' function below and a phone's file.
            export.litert(
                model,
                folder / f"{form}.tflite",
                quantization=quantization,
                shape=shape,
            )
        export.hugging_face(model, folder / "hugging_face")
        self.facts["flops"] = count_flops(model, job["length"], job["batch"])
        # With its shapes known beforehand, as a service would.
        return keras_predictor(model, *shape)


def _read(job, folder):
    from tf_distill.benchmark.predictions import (
        litert_predictor,
        saved_model_predictor,
    )

    if job["form"] in LITERT:
        return litert_predictor(
            folder / f"{job['form']}.tflite", job["threads"]
        )
    signature = {"text": "serving_default"}.get(job["form"], job["form"])
    return saved_model_predictor(str(folder / "saved_model" / "1"), signature)


def _classifier(name, overrides, length):
    """A classifier of random weights, and words that are one token each."""
    import numpy as np

    from tf_distill import models
    from tf_distill.models.architectures import (
        architecture,
        architecture_arguments,
    )

    backbone = architecture(name).backbone
    cls = getattr(models, backbone.replace("Backbone", "TextClassifier"))
    size = architecture_arguments(name, **overrides)["vocabulary_size"]
    generator = np.random.default_rng(0)
    words = list(LETTERS)
    drawn = generator.choice(list(LETTERS), (2 * size, 6))
    lengths = generator.integers(2, 7, 2 * size)
    words += [
        "".join(row[:end]) for row, end in zip(drawn, lengths, strict=True)
    ]
    pieces = [f"##{letter}" for letter in LETTERS]
    words = list(dict.fromkeys(words))[: size - len(SPECIAL) - len(pieces)]
    preprocessor = cls.preprocessor_cls(
        cls.preprocessor_cls.tokenizer_cls(
            [*SPECIAL, *pieces, *words], lowercase=True
        ),
        sequence_length=length,
    )
    model = cls.from_preset(
        name,
        load_weights=False,
        num_classes=2,
        preprocessor=preprocessor,
        **overrides,
    )
    return model, words


def _write_inputs(folder, words, batch, length):
    """Texts of `length - 2` words each, and what they are as tokens."""
    import numpy as np

    generator = np.random.default_rng(1)
    first = len(SPECIAL) + len(LETTERS)
    chosen = generator.integers(0, len(words), (batch, length - 2))
    ids = np.full((batch, length), SPECIAL.index("[CLS]"), "int32")
    ids[:, 1:-1] = first + chosen
    ids[:, -1] = SPECIAL.index("[SEP]")
    np.savez(
        folder / "inputs.npz",
        token_ids=ids,
        segment_ids=np.zeros_like(ids),
        padding_mask=np.ones_like(ids),
    )
    lines = (" ".join(words[index] for index in row) for row in chosen)
    (folder / "texts.txt").write_text(
        "".join(f"{line}\n" for line in lines), "utf-8"
    )
