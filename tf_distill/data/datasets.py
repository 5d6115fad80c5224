"""Rows of TensorFlow Datasets, by name."""

from tf_distill.extras import how_to_install


def dataset_rows(name, split):
    """Yields the rows of a split of TensorFlow Datasets, one at a time.

    The first use of a name downloads it, into `TFDS_DATA_DIR` where that is
    set.

    Args:
        name: such as `"glue/mnli"`.
        split: such as `"validation_matched"`.

    Returns:
        A tuple of an iterator of rows (dicts from column to a string, a number
        or a dict of arrays) and a dict from each column of classes to their
        names.

    Raises:
        ImportError: if `tensorflow-datasets` is not installed.
        ValueError: if there is no such split.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f"Reading {name} by name needs TensorFlow Datasets: "
            f"{how_to_install('data')}. Or give the folder of the files."
        ) from error
    builder = tfds.builder(name)
    builder.download_and_prepare()
    classes = {
        column: tuple(feature.names)
        for column, feature in builder.info.features.items()
        if isinstance(feature, tfds.features.ClassLabel)
    }
    rows = tfds.as_numpy(builder.as_dataset(split=split))
    return map(_decoded, rows), classes


def _decoded(row):
    """Turns the bytes of a row into strings."""
    return {
        column: value.decode() if isinstance(value, bytes) else value
        for column, value in row.items()
    }
