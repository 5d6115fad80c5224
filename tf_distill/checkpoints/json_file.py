"""Reads JSON files that others wrote."""

import json


def read_json(file):
    """The object that a JSON file holds.

    Args:
        file: `pathlib.Path`.

    Returns:
        dict.

    Raises:
        ValueError: there is no such file, or it holds no JSON object.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"{file.parent} has no {file.name}: it is not a model's folder, "
            "or it was copied in part."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{file} is not valid JSON: {error}. Copy or fetch it again."
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{file} holds a JSON {type(content).__name__}, but an object is "
            "expected."
        )
    return content
