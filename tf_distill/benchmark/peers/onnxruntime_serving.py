"""The same classifier in onnxruntime, fused by its own optimizer.

Letters: B batch, T tokens.
"""

import pathlib

REQUIRES = ["torch", "transformers", "safetensors", "onnx", "onnxruntime"]
INSTALL = (
    "pip install torch==2.13.0 transformers==5.23.0 safetensors onnx "
    "onnxruntime"
)
FLOAT = 1  # onnx.TensorProto.FLOAT


class Side:
    """Predictions of one batch, of any shape that the file takes.

    Args:
        job: see `tf_distill_serving.Side`; `dtype` is "float32", or "int8"
            for onnxruntime's dynamic quantization.

    Attributes:
        facts: dict of `logits`, `(B, 2)`.
    """

    def __init__(self, job):
        import onnxruntime
        from pytorch_serving import read_classifier, read_inputs

        model = read_classifier(job, attention="eager")
        self.inputs = read_inputs(job, model)
        folder = pathlib.Path(job["folder"], f"onnx_{job['dtype']}")
        folder.mkdir()
        path = _fused(model, self.inputs, folder)
        if job["dtype"] == "int8":
            path = _quantized(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = job["threads"]
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.run(3)
        self.facts = {"logits": self.logits.tolist()}

    def run(self, steps):
        """Predicts so many times."""
        for _ in range(steps):
            (self.logits,) = self.session.run(None, self.inputs)


def _fused(model, inputs, folder):
    """Writes the model as ONNX, its attention and norms as one node each."""
    import torch
    from onnxruntime.transformers.optimizer import optimize_model

    class Logits(torch.nn.Module):
        """The model by position, which is what the exporter knows."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *arrays):
            return self.model(**dict(zip(inputs, arrays, strict=True))).logits

    path = folder / "model.onnx"
    torch.onnx.export(
        Logits().eval(),
        tuple(map(torch.from_numpy, inputs.values())),
        str(path),
        input_names=list(inputs),
        output_names=["logits"],
        dynamic_axes={name: {0: "B", 1: "T"} for name in inputs},
        opset_version=17,
        dynamo=False,
    )
    if model.config.model_type == "mobilebert":
        return path  # whose blocks the optimizer does not know
    config = model.config
    fused = optimize_model(
        str(path),
        "bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        opt_level=1,
    )
    path = folder / "fused.onnx"
    fused.save_model_to_file(str(path))
    return path


def _quantized(path):
    from onnxruntime.quantization import quantize_dynamic

    quantized = path.with_name("int8.onnx")
    options = {"DefaultTensorType": FLOAT}  # of what fused nodes return
    quantize_dynamic(str(path), str(quantized), extra_options=options)
    return quantized
