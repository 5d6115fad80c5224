import dataclasses

import glue_recipes_data as tiny_glue
import pytest

SETTINGS = {"recipe": "pkd", "seed": 0}


@pytest.fixture(scope="module")
def recipe():
    return tiny_glue.recipe("run_folder")


def fail(recipe, run, error, write=None):
    with pytest.raises(error), recipe.run_folder(run, SETTINGS):
        (run / "stages" / "student" / "01-labels").mkdir(parents=True)
        if write is not None:
            (run / write).touch()
        raise error("a mistake")


def test_a_mistake_leaves_nothing_and_a_stop_all(recipe, tmp_path):
    fail(recipe, tmp_path / "run", ValueError)
    assert not (tmp_path / "run").exists()
    checkpoint = "stages/student/01-labels/epoch-000001-step-000000000.npz"
    for write in (checkpoint, "corpus"):
        run = tmp_path / write.partition("/")[0]
        fail(recipe, run, ValueError, write)
        assert (run / write).exists() and (run / "config.json").exists()
    fail(recipe, tmp_path / "stopped", KeyboardInterrupt)
    assert (tmp_path / "stopped" / "config.json").exists()
    # What was there before is not this run's to delete.
    again = recipe.run_folder(tmp_path / "stopped", SETTINGS)
    with pytest.raises(OSError), again:
        raise OSError
    assert (tmp_path / "stopped" / "config.json").exists()


def test_somebody_elses_folder(recipe, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="no run folder.*--run"):
        with recipe.run_folder(tmp_path, SETTINGS):
            pass
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="no run folder.*--run"):
        with recipe.run_folder(tmp_path, SETTINGS):
            pass
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["README.md", "config.json"]
    (tmp_path / "empty").mkdir()
    with recipe.run_folder(tmp_path / "empty", SETTINGS):
        assert (tmp_path / "empty" / "config.json").exists()


def test_a_teachers_tokenizer_is_part_of_it(recipe, tmp_path):
    words = tmp_path / "assets" / "tokenizer" / "vocab.txt"
    words.parent.mkdir(parents=True)
    words.write_text("one")
    before = recipe.digest(tmp_path)
    words.write_text("two")
    assert recipe.digest(tmp_path) != before


@dataclasses.dataclass
class Sizes:
    epochs: int = 0
    batch_size: int = 1
    learning_rate: float | None = None
    max_length: int = 8
    seed: int = 0


def test_numbers_that_cannot_be(recipe):
    recipe.check_numbers(Sizes())
    for name, value in {
        "epochs": -1,
        "batch_size": 0,
        "learning_rate": float("nan"),
        "max_length": -8,
        "seed": -1,
    }.items():
        option = name.replace("_", "-")
        with pytest.raises(ValueError, match=f"--{option} {value}: expected"):
            recipe.check_numbers(Sizes(**{name: value}))
