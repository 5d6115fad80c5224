"""Where the recipes of text classifiers export to."""

import glue_recipes_data as tiny_glue
import pytest

from tf_distill.export.publish import publish_version


@pytest.fixture
def recipe():
    return tiny_glue.recipe("text_exports")


@pytest.fixture
def runs(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b"


def test_a_run_takes_no_other_run_s_version_for_its_own(recipe, runs, tmp_path):
    """Although the first was killed before its version was there."""
    first, second = runs
    place = tmp_path / "saved_models" / "tweets"
    recipe.marker(first, place)
    assert recipe.published(first) is None
    publish_version(place, recipe.marker(second, place))
    assert recipe.published(second) == place / "1"
    assert recipe.published(first) is None
    version = publish_version(place, recipe.marker(first, place))
    assert recipe.published(first) == version == place / "2"
    assert recipe.published(second) == place / "1"


def test_a_version_that_is_removed_is_exported_again(recipe, runs, tmp_path):
    run, _ = runs
    assert recipe.published(run) is None
    version = publish_version(
        tmp_path / "m", recipe.marker(run, tmp_path / "m")
    )
    assert recipe.published(run) == version
    version.rename(tmp_path / "elsewhere")
    assert recipe.published(run) is None
