"""How large and how fast a model is: parameters, FLOPs, latency, machine.

    python -m tf_distill.benchmark sizes
    python -m tf_distill.benchmark latency

put the named architectures beside what their papers print. Importing this
package loads neither Keras nor TensorFlow.
"""

from tf_distill.benchmark.flops import count_flops, count_parameters
from tf_distill.benchmark.latency import Latency, measure_latency
from tf_distill.benchmark.machine import describe_machine, has_fast_bfloat16
from tf_distill.benchmark.predictions import (
    callable_of,
    keras_callable,
    litert_callable,
    saved_model_callable,
)

__all__ = [
    "Latency",
    "callable_of",
    "count_flops",
    "count_parameters",
    "describe_machine",
    "has_fast_bfloat16",
    "keras_callable",
    "litert_callable",
    "measure_latency",
    "saved_model_callable",
]
