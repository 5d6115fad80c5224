"""How large and how fast a model is: parameters, FLOPs, latency, machine.

Importing this package loads neither Keras nor TensorFlow.
"""

from tf_distill.benchmark.flops import flops, parameters
from tf_distill.benchmark.latency import (
    Latency,
    keras_callable,
    latency,
    litert_callable,
    saved_model_callable,
)
from tf_distill.benchmark.machine import describe_machine, has_fast_bfloat16

__all__ = [
    "Latency",
    "describe_machine",
    "flops",
    "has_fast_bfloat16",
    "keras_callable",
    "latency",
    "litert_callable",
    "parameters",
    "saved_model_callable",
]
