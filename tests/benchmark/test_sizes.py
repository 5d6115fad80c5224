"""Against the figures that were worked out from the papers, by hand."""

import collections
import json
import math
import resource
import subprocess
import sys
import threading

import keras
import pytest

from tf_distill import models
from tf_distill.benchmark.__main__ import main
from tf_distill.benchmark.papers import PAPER_FIGURES
from tf_distill.benchmark.sizes import (
    architecture_size,
    beside_the_paper,
    sizes_table,
)
from tf_distill.models import ARCHITECTURES

# The encoder alone; what a pooler makes of it (None: it has none); with the
# heads of its pre-training, MobileBERT's without its next-sentence head.
PARAMETERS = {
    "bert_tiny_2l_128d": (4_369_408, 4_385_920, 4_433_468),
    "bert_mini_4l_256d": (11_104_768, 11_170_560, 11_267_900),
    "bert_small_4l_512d": (28_500_992, 28_763_648, 29_058_876),
    "bert_medium_8l_512d": (41_110_528, 41_373_184, 41_668_412),
    "bert_base_12l_768d": (108_891_648, 109_482_240, 110_106_428),
    "bert_large_24l_1024d": (334_092_288, 335_141_888, 336_226_108),
    "bert_3l_768d": (45_100_800, 45_691_392, 46_315_580),
    "bert_4l_768d": (52_188_672, 52_779_264, 53_403_452),
    "bert_6l_768d": (66_364_416, 66_955_008, 67_579_196),
    "bert_4l_312d": (14_252_592, 14_350_248, 14_479_676),
    "distil_bert_6l_768d": (66_362_880, None, 66_985_530),
    "distil_bert_4l_768d": (52_187_136, None, 52_809_786),
    "tiny_bert_4l_312d": (14_252_592, 14_350_248, 14_479_676),
    "tiny_bert_6l_768d": (66_364_416, 66_955_008, 67_579_196),
    "mini_lm_6l_384d": (22_565_376, 22_713_216, 22_893_116),
    "mini_lm_12l_384d": (33_212_160, 33_360_000, 33_539_900),
    "mobile_bert_24l_512d": (24_581_888, None, 36_596_538),
    "mobile_bert_paper_24l_512d": (25_359_104, None, 37_373_754),
    "mobile_bert_tiny_24l_512d": (15_485_696, None, 27_500_346),
    "mobile_bert_without_opt_24l_512d": (24_581_888, None, 36_596_538),
    "ib_bert_large_24l_512d": (294_205_184, 294_467_840, 306_219_834),
}
# Billions, to the digit to which they were worked out.
FLOPS = {
    "bert_tiny_2l_128d": 0.117,
    "bert_mini_4l_256d": 0.872,
    "bert_small_4l_512d": 3.36,
    "bert_medium_8l_512d": 6.71,
    "bert_base_12l_768d": 22.35,
    "bert_large_24l_1024d": 78.92,
    "bert_3l_768d": 5.59,
    "bert_4l_768d": 7.45,
    "bert_6l_768d": 11.17,
    "bert_4l_312d": 1.247,
    "distil_bert_4l_768d": 7.45,
    "distil_bert_6l_768d": 11.17,
    "tiny_bert_4l_312d": 1.247,
    "tiny_bert_6l_768d": 11.17,
    "mini_lm_6l_384d": 2.87,
    "mini_lm_12l_384d": 5.74,
    "mobile_bert_24l_512d": 5.39,
    "mobile_bert_paper_24l_512d": 5.59,
    "mobile_bert_tiny_24l_512d": 3.07,
    "mobile_bert_without_opt_24l_512d": 5.39,
    "ib_bert_large_24l_512d": 75.75,
}
ENCODER, POOLER = "the encoder", "with the pooler"
HEADS, NEITHER = "with the heads", "none"
# Which counts are what the paper prints, rounded to its last digit.
CONVENTIONS = {
    "bert_large_24l_1024d": ENCODER,
    "bert_base_12l_768d": f"{ENCODER} or {POOLER}",
    "tiny_bert_6l_768d": POOLER,
    "bert_6l_768d": POOLER,
    "bert_4l_768d": ENCODER,
    "bert_4l_312d": HEADS,
    "distil_bert_4l_768d": ENCODER,
    "distil_bert_6l_768d": ENCODER,
    "tiny_bert_4l_312d": HEADS,
    "bert_3l_768d": NEITHER,
    "bert_small_4l_512d": NEITHER,
    "mini_lm_6l_384d": NEITHER,
    "mobile_bert_24l_512d": NEITHER,
    "mobile_bert_tiny_24l_512d": NEITHER,
}


def test_everything_named_is_checked():
    names = set(ARCHITECTURES)
    assert names == set(PAPER_FIGURES) == set(PARAMETERS) == set(FLOPS)


def check(size):
    name = size["name"]
    encoder, with_pooler, with_heads = PARAMETERS[name]
    assert size["params"] == encoder
    assert size["params_with_pooler"] == with_pooler
    if ARCHITECTURES[name].backbone == "MobileBertBackbone":
        assert encoder + size["params_mlm_head"] == with_heads
        assert size["params_nsp_head"] == 2 * 512 + 2
        # IB-BERT's has a pooler before it.
        with_heads += size["params_nsp_head"]
        with_heads += (with_pooler or encoder) - encoder
    assert size["params_with_heads"] == with_heads
    assert size["flops_128"] / 1e9 == pytest.approx(FLOPS[name], rel=5e-3)
    if name in CONVENTIONS:
        assert size["paper_convention"] == CONVENTIONS[name]


def counts_of(name, num_layers):
    size = architecture_size(name, num_layers=num_layers)
    keys = [key for key in size if key.startswith("params")] + ["flops_128"]
    return {key: size[key] for key in keys if key != "params_ratio"}


@pytest.fixture(scope="module")
def sizes():
    """All of them at full depth, from the first block and the second.

    Which is many times faster than to count up to 24 blocks that are alike;
    `test_the_command` counts them all.
    """
    found, counted = {}, {}
    for name, architecture in ARCHITECTURES.items():
        arguments = dict(architecture.arguments)
        more = arguments.pop("num_layers") - 1
        alike = architecture.backbone, str(arguments)
        if alike not in counted:
            counted[alike] = [counts_of(name, num_layers=n) for n in (1, 2)]
        one, two = counted[alike]
        counts = {
            key: value and value + more * (two[key] - value)
            for key, value in one.items()
        }
        found[name] = {
            "name": name,
            **counts,
            **beside_the_paper(name, counts),
        }
    return found


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_and_flops_are_the_papers(sizes, name):
    check(sizes[name])


def test_what_is_compared_with_the_papers(sizes):
    size = sizes["tiny_bert_4l_312d"]
    assert (size["paper_params"], size["paper_flops"]) == (14.5e6, 1.2e9)
    assert size["params_ratio"] == pytest.approx(14.252592 / 14.5)
    assert size["flops_ratio"] == pytest.approx(1.247 / 1.2, rel=1e-3)
    size = sizes["mini_lm_6l_384d"]
    assert (size["paper_flops"], size["flops_ratio"]) == (None, None)
    # What no count explains is said to be so, and not made to fit.
    for size in sizes.values():
        assert size["paper_convention"] != "none" or size["note"]


def test_the_table_is_narrow_and_complete(sizes):
    lines = sizes_table(list(sizes.values())).splitlines()
    assert max(map(len, lines)) <= 100
    row = next(line for line in lines if line.startswith("tiny_bert_4l_312d "))
    assert row.split()[1:] == (
        "14,252,592 14,350,248 14,479,676 14.5M 0.983 1.247 1.2 1.040".split()
    )
    row = next(line for line in lines if line.startswith("mobile_bert_tiny"))
    assert row.split()[2] == "-"  # it has no pooler


def test_the_command_of_some(capsys):
    main(["sizes", "--json", "--models", "bert_tiny_2l_128d,tiny_bert_4l_312d"])
    output, progress = capsys.readouterr()
    found = json.loads(output)
    assert [size["name"] for size in found] == [
        "bert_tiny_2l_128d",
        "tiny_bert_4l_312d",
    ]
    for size in found:
        check(size)
    assert "tiny_bert_4l_312d, 2 of 2" in progress


def sizes_of_weights(cls, name, **arguments):
    """Numbers in the weights of a model by kind, as `kernel`; none is drawn."""
    counts = collections.Counter()

    def count():
        with keras.StatelessScope(initialize_variables=False):
            model = cls.from_preset(name, load_weights=False, **arguments)
            for weight in model.weights:
                counts[weight.name] += math.prod(weight.shape)

    thread = threading.Thread(target=count)  # see `architecture_size`
    thread.start()
    thread.join()
    return counts


def at_full_depth(cls, name):
    one, two = (sizes_of_weights(cls, name, num_layers=n) for n in (1, 2))
    more = ARCHITECTURES[name].arguments["num_layers"] - 1
    return {kind: one[kind] + more * (two[kind] - one[kind]) for kind in one}


def projection(width, target):
    dense = keras.layers.Dense(target)
    dense.build((None, width))
    return dense.count_params()


def test_other_ways_to_count_that_the_notes_name():
    bert = sizes_of_weights(models.BertBackbone, "bert_small_4l_512d")
    assert bert.total() + projection(512, 768) == 29_157_632
    assert projection(312, 768) == 240_384
    tiny = architecture_size("tiny_bert_4l_312d")["params"]
    assert tiny + projection(312, 768) == 14_492_976
    classifier = models.TinyBertTextClassifier.from_preset(
        "tiny_bert_4l_312d", load_weights=False, num_classes=2
    )
    assert classifier.count_params() + projection(312, 768) == 14_591_258
    mobile = at_full_depth(
        models.MobileBertBackbone, "mobile_bert_paper_24l_512d"
    )
    without_norms = sum(mobile.values()) - mobile["gamma"] - mobile["beta"]
    assert without_norms == 25_296_640
    teacher = at_full_depth(models.MobileBertBackbone, "ib_bert_large_24l_512d")
    for kind in ("bias", "gamma", "beta"):
        del teacher[kind]
    assert sum(teacher.values()) == 293_773_568


@pytest.mark.slow
def test_the_command():
    """All at full depth, without the memory for BERT-large's weights."""
    command = [sys.executable, "-m", "tf_distill.benchmark", "sizes", "--json"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    found = json.loads(done.stdout)
    assert [size["name"] for size in found] == list(ARCHITECTURES)
    for size in found:
        check(size)
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert kilobytes < 1.5 * 2**20


def test_weights_are_not_drawn_later_either(monkeypatch):
    architecture_size("bert_tiny_2l_128d")

    def draw(*_, **__):
        raise AssertionError("a weight was drawn")

    monkeypatch.setattr(keras.initializers.TruncatedNormal, "__call__", draw)
    with keras.StatelessScope():
        pass  # at its end Keras draws what it remembers to be without a value


def test_an_unknown_name():
    with pytest.raises(ValueError, match="Did you mean 'tiny_bert_4l_312d'"):
        architecture_size("tiny_bert_4l_321d")
