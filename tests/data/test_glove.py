import zipfile

import numpy as np
import pytest

from tf_distill.data import Glove, read_glove

TEXT = "the 1.0 2.0 2.0\n, 0 0 1\ncat -1 0 0\n. . 0 3 4\ndog 0.9 2 2\n"


def test_text_and_zip_are_read_alike(tmp_path):
    (tmp_path / "glove.txt").write_text(TEXT)
    with zipfile.ZipFile(tmp_path / "glove.zip", "w") as archive:
        archive.writestr("glove.3d.txt", TEXT)
        archive.writestr("readme.md", "words")
    for name in ("glove.txt", "glove.zip"):
        glove = read_glove(tmp_path / name)
        # A word may have spaces in it.
        assert glove.words == ["the", ",", "cat", ". .", "dog"]
        expected = np.array([[1, 2, 2], [0, 0, 3]], "float32") / 3
        np.testing.assert_allclose(glove.vectors[:2], expected, rtol=1e-6)
        np.testing.assert_allclose(glove.vectors[3], [0, 0.6, 0.8], rtol=1e-6)
        assert read_glove(tmp_path / name, most=2).words == ["the", ","]


@pytest.mark.parametrize("space", ["", " "])
def test_the_first_line_of_word2vec_is_no_word(tmp_path, space):
    # fastText's lines end in a space.
    lines = "".join(f"{line}{space}\n" for line in TEXT.splitlines())
    (tmp_path / "plain.txt").write_text(TEXT)
    (tmp_path / "a.vec").write_text(f"5 3\n{lines}")
    plain, glove = (read_glove(tmp_path / n) for n in ("plain.txt", "a.vec"))
    assert glove.words == plain.words
    np.testing.assert_array_equal(glove.vectors, plain.vectors)
    assert read_glove(tmp_path / "a.vec", most=2).words == ["the", ","]


def test_zip_of_several(tmp_path):
    with zipfile.ZipFile(tmp_path / "glove.zip", "w") as archive:
        archive.writestr("a.txt", TEXT)
        archive.writestr("b.txt", "one 1\n")
    with pytest.raises(ValueError, match="'a.txt', 'b.txt'.*member=None"):
        read_glove(tmp_path / "glove.zip")
    assert read_glove(tmp_path / "glove.zip", member="b.txt").words == ["one"]


def test_arrays_as_the_package_has_them(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    vectors = np.asfortranarray([[3, 4], [0, 2], [1, 0]], dtype="float32")
    np.save(tmp_path / "vectors.npy", vectors)
    words = pyarrow.table({"index": ["the", "cat", "dog"]})
    parquet.write_table(words, tmp_path / "index.parquet")
    glove = read_glove(tmp_path, most=2)
    assert glove.words == ["the", "cat"]
    np.testing.assert_allclose(glove.vectors, [[0.6, 0.8], [0, 1]], rtol=1e-6)


def test_arrays_are_never_unpickled(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    np.save(tmp_path / "v.npy", np.array([print], dtype=object))
    parquet.write_table(
        pyarrow.table({"index": ["the"]}), tmp_path / "index.parquet"
    )
    with pytest.raises(ValueError, match="Python objects"):
        read_glove(tmp_path)


def test_neighbours_by_hand():
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(300, 5)).astype("float32")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = [f"{'x' * (i % 7 == 0)}w{i}" for i in range(300)]
    letters = str.maketrans("0123456789", "abcdefghij")
    words = [word.translate(letters) for word in words]
    words[5], words[9] = "don't", "word9"
    glove = Glove(words, vectors)
    asked = [words[2], "nowhere", words[5], words[250]]
    found = glove.neighbours(asked, 4)
    assert list(found) == [words[2], words[5], words[250]]
    for word, near in found.items():
        cosines = vectors @ vectors[words.index(word)]
        order = [words[i] for i in np.argsort(-cosines)]
        plain = [w for w in order if w.isalpha() and w != word]
        assert near == plain[:4]


BAD = {
    "empty": (b"", "no words"),
    "a number too few": (b"the 1 2\ncat 1\n", "line 2: .*2 numbers"),
    "not a number": (b"the 1 2\ncat 1 x\n", "line 2: .*'x'"),
    "not UTF-8": (b"the 1 2\ncaf\xe9 1 2\n", "line 2: .*0xe9"),
    "infinite": (b"the 1 2\ncat 1 inf\n", "finite"),
    "of another width than its first line says": (
        b"2 3\nthe 1 2\ncat 1 2\n",
        "line 2: .*3 numbers",
    ),
    "words alone": (b"the\n", "line 1: expected a word and"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files(tmp_path, fault):
    content, message = BAD[fault]
    (tmp_path / "glove.txt").write_bytes(content)
    with pytest.raises(ValueError, match=f"glove.txt.*{message}"):
        read_glove(tmp_path / "glove.txt")


def test_bad_places(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.txt"):
        read_glove(tmp_path / "nowhere.txt")
    (tmp_path / "glove.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match="not a whole zip"):
        read_glove(tmp_path / "glove.zip")
    with pytest.raises(ValueError, match="0 .npy and 0 .parquet"):
        read_glove(tmp_path)
