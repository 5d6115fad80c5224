"""KerasHub's own encoder of the same shape, as a compiled Keras graph."""

import pathlib

REQUIRES = ["keras", "tensorflow", "keras_hub"]
INSTALL = "pip install keras-hub tensorflow"
CLASSES = {
    "BertBackbone": "BertTextClassifier",
    "DistilBertBackbone": "DistilBertTextClassifier",
}


class Side:
    """Predictions of one batch; the weights are random ones of its own.

    Args:
        job: see `tf_distill_serving.Side`.

    Attributes:
        facts: dict, empty.
    """

    def __init__(self, job):
        import keras_hub
        import numpy as np

        from tf_distill.benchmark.predictions import keras_predictor
        from tf_distill.models.architectures import (
            architecture,
            architecture_arguments,
        )

        name, overrides = job["architecture"]
        backbone = architecture(name).backbone
        if backbone not in CLASSES:
            raise ValueError(f"KerasHub has no {backbone}.")
        encoder = getattr(keras_hub.models, backbone)(
            **architecture_arguments(name, **overrides)
        )
        cls = getattr(keras_hub.models, CLASSES[backbone])
        model = cls(encoder, num_classes=2)
        self.predict = keras_predictor(model, job["batch"], job["length"])
        with np.load(pathlib.Path(job["folder"], "inputs.npz")) as inputs:
            self.inputs = dict(inputs)
        self.facts = {}
        self.run(3)

    def run(self, steps):
        """Predicts so many times."""
        for _ in range(steps):
            self.predict(self.inputs)
