"""The same classifier in `transformers`, on PyTorch, as one would call it.

Letters: B batch, T tokens.
"""

import pathlib

REQUIRES = ["torch", "transformers", "safetensors", "numpy"]
INSTALL = "pip install torch==2.13.0 transformers==5.23.0 safetensors"
# Hugging Face's names of the inputs, by ours.
NAMES = {
    "token_ids": "input_ids",
    "padding_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}


class Side:
    """Predictions of one batch.

    Args:
        job: see `tf_distill_serving.Side`.

    Attributes:
        facts: dict of `logits`, `(B, 2)`.
    """

    def __init__(self, job):
        import torch

        torch.set_num_threads(job["threads"])
        self.model = read_classifier(job, attention="sdpa")
        self.inputs = {
            name: torch.from_numpy(array)
            for name, array in read_inputs(job, self.model).items()
        }
        self.run(3)
        self.facts = {"logits": self.logits.tolist()}

    def run(self, steps):
        """Predicts so many times."""
        import torch

        with torch.inference_mode():
            for _ in range(steps):
                self.logits = self.model(**self.inputs).logits


def read_classifier(job, attention):
    """The classifier that `tf_distill_serving` wrote, to predict with.

    Args:
        job: see `tf_distill_serving.Side`.
        attention: "sdpa" or "eager", how attention is computed.
    """
    import transformers
    from pytorch_models import with_bert_epsilon

    folder = pathlib.Path(job["folder"], "hugging_face")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, attn_implementation=attention
    )
    return with_bert_epsilon(model.eval())


def read_inputs(job, model):
    """The batch by Hugging Face's names, int64 `(B, T)`, as the model's."""
    import numpy as np

    names = dict(NAMES)
    if model.config.model_type == "distilbert":
        del names["segment_ids"]
    with np.load(pathlib.Path(job["folder"], "inputs.npz")) as inputs:
        return {new: inputs[old].astype("int64") for old, new in names.items()}
