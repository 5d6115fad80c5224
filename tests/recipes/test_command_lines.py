"""The options of the papers' recipes, and what they load before they work."""

import ast
import pathlib
import subprocess
import sys

import glue_recipes_data as tiny_glue
import pytest

NEEDED = {
    "fine_tune_teacher": "--task RTE --model bert",
    "tiny_bert_task": "--task RTE --teacher t --augmented a.jsonl",
    "distil_bert_task": "--task RTE --teacher t --cache c --control",
    "pkd": "--task RTE --teacher t --pre-trained p --beta 100",
    "pre_trained_distillation": "--task RTE --teacher t --student half",
    "tiny_bert_augment": "--task RTE --masked-lm m --glove g.zip --copies 3",
    "tiny_bert_general": "--teacher t --corpus c.txt --documents 5",
    "distil_bert_pretrain": "--teacher t --corpus c --held-out h --layers 3",
    "mobile_bert": "--tokenizer t --corpus c --held-out h --schedule joint",
    "fine_tune_squad": "--model m --version 2.0",
    "distil_bert_squad": "--teacher t --train-questions 10",
    "compare": "runs/a runs/b --output table.md",
}
COMMON = ("--seed", "--smoke", "--run", "--dtype")


@pytest.mark.parametrize("name", NEEDED)
def test_options(name, capsys):
    tyro = pytest.importorskip("tyro")
    module = tiny_glue.recipe(name)
    config = tyro.cli(module.Config, args=NEEDED[name].split())
    if name == "compare":
        assert [str(run) for run in config.runs] == ["runs/a", "runs/b"]
        return
    assert config.seed == 0 and config.smoke is False
    with pytest.raises(SystemExit) as end:
        tyro.cli(module.Config, args=["--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in COMMON)


@pytest.mark.parametrize("name", NEEDED)
def test_the_head_gives_commands_that_there_are(name):
    """Every option in a recipe's docstring is one of its own."""
    module = tiny_glue.recipe(name)
    options = {f"--{field.replace('_', '-')}" for field in _fields(module)}
    text = module.__doc__
    for command in text.split(f"python recipes/{name}.py")[1:]:
        command = command.split("\n\n")[0]
        used = {w for w in command.split() if w.startswith("--")}
        assert used <= options, used - options


def _fields(module):
    tree = ast.parse(pathlib.Path(module.__file__).read_text())
    (config,) = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Config"
    ]
    return [n.target.id for n in config.body if isinstance(n, ast.AnnAssign)]


def test_nothing_heavy_is_loaded_for_help():
    script = (
        f"import importlib, sys; sys.path.append({str(tiny_glue.RECIPES)!r})\n"
        f"for name in {list(NEEDED)!r}: importlib.import_module(name)\n"
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_package_alone_loads_nothing():
    """Neither what it needs, nor a part of itself."""
    script = (
        "import sys; before = set(sys.modules); import tf_distill\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "new -= sys.stdlib_module_names\n"
        "assert new == {'tf_distill'}, new"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
