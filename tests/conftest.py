"""Every test sees two logical CPUs, so that distribution can be tested."""

import contextlib
import os
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
if "PYTEST_XDIST_WORKER" in os.environ:
    # One process a core: more threads would only wait for one another.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import pytest


def pytest_configure(config):
    if hasattr(config.option, "loadscopereorder"):  # xdist's
        config.option.loadscopereorder = False
        if config.option.numprocesses and not hasattr(config, "workerinput"):
            return  # it hands out the tests, and needs seconds less for that
    import keras

    if keras.config.backend() != "tensorflow":
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )


def pytest_collection_modifyitems(items):
    """Whole recipes first: the last files to start should be short ones.

    By itself xdist begins with the files of the most tests, and ends with
    these few long ones, one process waiting for the other.
    """
    items.sort(key=lambda item: "recipes" not in item.path.parts)


@pytest.fixture(scope="session")
def two_replicas():
    """One strategy a process: a second's collectives meet the first's.

    Each numbers them from the same start, and TensorFlow remembers the shapes
    of a number for as long as the process lives.
    """
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def pytest_make_parametrize_id(val, argname):
    """Bytes go by their argument's name: gzip's hold the time of day."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True, scope="module")
def seed_of_a_module():
    """Makes a module's own fixtures repeatable, and TensorFlow's numbers."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def seed():
    """Makes every test repeatable, whatever ran before it.

    TensorFlow's own numbers only once a module: with its seed it forgets all
    operations it has made ready, and to make a small model's ready again takes
    longer than to run them. Keras draws none of these numbers for weights and
    dropout.
    """
    import keras

    left_out = contextlib.nullcontext()
    if keras.config.backend() == "tensorflow":
        left_out = mock.patch("tensorflow.random.set_seed", lambda seed: None)
    with left_out:
        keras.utils.set_random_seed(0)
    yield
    keras.mixed_precision.set_global_policy("float32")
