"""Reads and runs .tflite files.

Letters: B batch, T tokens.
"""

import collections
import pathlib

from tf_distill.extras import how_to_install


def flex_ops(path):
    """The operations of a .tflite file that plain LiteRT cannot run.

    Args:
        path: a .tflite file.

    Returns:
        Sorted list of the names of its custom operations; those of TensorFlow
        begin with "Flex".

    Raises:
        ValueError: not a .tflite file.
    """
    model = _model(path)
    codes = map(model.OperatorCodes, range(model.OperatorCodesLength()))
    custom = (code.CustomCode() for code in codes)
    return sorted(name.decode() for name in custom if name)


def litert_ops(path):
    """The operations of a .tflite file, and what they compute in.

    Args:
        path: a .tflite file.

    Returns:
        dict of counts by an operation's name and the type of its first input,
        such as "FULLY_CONNECTED int8".

    Raises:
        ValueError: not a .tflite file.
    """
    from ai_edge_litert import schema_py_generated as schema

    names, types = (
        {value: name for name, value in vars(enum).items() if name[0] != "_"}
        for enum in (schema.BuiltinOperator, schema.TensorType)
    )
    model, counts = _model(path), collections.Counter()
    for graph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for index in range(graph.OperatorsLength()):
            operator = graph.Operators(index)
            code = model.OperatorCodes(operator.OpcodeIndex())
            # Old operations are in a field of a byte.
            name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            if code.CustomCode():
                name = code.CustomCode().decode()
            if operator.InputsLength():
                tensor = graph.Tensors(operator.Inputs(0))
                name += f" {types[tensor.Type()].lower()}"
            counts[name] += 1
    return dict(sorted(counts.items()))


def run_litert(path, batches, *, threads=None):
    """Runs a .tflite file.

    Args:
        path: a .tflite file that `litert` wrote.
        batches: iterable of dicts of `token_ids`, `segment_ids` and
            `padding_mask`, `(B, T)`, of any integer dtype; of a masked LM
            `mask_positions` too.
        threads: int, or None for LiteRT's choice.

    Returns:
        dict of the outputs, the batches' rows one after the other.

    Raises:
        ImportError: LiteRT is not installed.
    """
    import numpy as np

    runner = litert_runner(path, threads)
    outputs = [
        runner(**{name: np.asarray(batch[name], "int32") for name in batch})
        for batch in batches
    ]
    return {
        name: np.concatenate([output[name] for output in outputs])
        for name in (outputs[0] if outputs else {})
    }


def litert_runner(path, threads=None):
    """A function that calls a .tflite file's signature by name.

    Args:
        path: a .tflite file.
        threads: int, or None for LiteRT's choice.

    Returns:
        Function of the int32 inputs, as keywords, that returns a dict.

    Raises:
        ImportError: LiteRT is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(
            f"LiteRT is not installed: {how_to_install('litert')}"
        ) from error
    # Given as bytes, because a mapped file that is replaced would crash.
    interpreter = Interpreter(
        model_content=pathlib.Path(path).read_bytes(), num_threads=threads
    )
    return interpreter.get_signature_runner("serving_default")


def _model(path):
    from ai_edge_litert import schema_py_generated as schema

    content = pathlib.Path(path).read_bytes()
    if not schema.Model.ModelBufferHasIdentifier(content, 0):
        raise ValueError(f"{str(path)!r} is not a .tflite file.")
    return schema.Model.GetRootAs(content)
