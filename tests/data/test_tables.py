import gzip

import numpy as np
import pytest

from tf_distill.data import read_table


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path, *words, text="text", label="label", **options):
    """Asserts that the file is refused by a message with all these words."""
    with pytest.raises(ValueError) as caught:
        read_table(path, text, label=label, **options)
    for word in (path.name, *words):
        assert word in str(caught.value)


def test_csv_quoting_and_byte_order_mark(tmp_path):
    path = write(
        tmp_path,
        "a.csv",
        b'\xef\xbb\xbftext,other,label\r\n"one, ""two""\nthree",x,b\r\n'
        b"\r\nfour,y,a\r\n",
    )
    table = read_table(path, "text", label="label")
    assert table.texts == ['one, "two"\nthree', "four"]
    assert table.label_names == ("a", "b")
    assert table.labels.dtype == np.int32
    assert table.labels.tolist() == [1, 0]
    assert table.second_texts is None
    assert table.path == str(path)
    assert len(table) == 2


def test_tsv_has_no_quoting(tmp_path):
    path = write(
        tmp_path, "a.tsv", 'label\ttext\n1\t"so\n0\tgood", he said\u2028\n'
    )
    table = read_table(path, "text", label="label")
    assert table.texts == ['"so', 'good", he said\u2028']
    assert table.labels.tolist() == [1, 0]


def test_blank_lines_are_those_without_cells(tmp_path):
    for name, comma in (("a.csv", ","), ("a.tsv", "\t")):
        content = f"text{comma}label\n\n   \nx{comma}a\n \r\ny{comma}b\n"
        path = write(tmp_path, name, content)
        assert read_table(path, "text", label="label").texts == ["x", "y"]
        path = write(tmp_path, name, f"{content}{comma}\n")
        with pytest.raises(ValueError, match="line 7.*the text is empty"):
            read_table(path, "text", label="label")
    # An empty cell of a single column can only be written in quotes.
    path = write(tmp_path, "a.csv", 'text\nx\n  \n""\n')
    with pytest.raises(ValueError, match="line 4.*the text is empty"):
        read_table(path, "text")


def test_jsonl_pairs(tmp_path):
    path = write(
        tmp_path,
        "a.jsonl",
        '{"a": "x\\u2028y", "b": "z", "label": 10}\n\n'
        '{"label": 9, "b": "v", "a": "w"}\n',
    )
    table = read_table(path, "a", second_text="b", label="label")
    assert table.texts == ["x\u2028y", "w"]
    assert table.second_texts == ["z", "v"]
    # By value: as text, "10" would come before "9".
    assert table.label_names == ("9", "10")
    assert table.labels.tolist() == [1, 0]


def test_gzip_and_plain_text(tmp_path):
    path = write(tmp_path, "A.TXT.gz", gzip.compress(b"one\r\n \ntwo"))
    table = read_table(path, "text")
    assert table.texts == ["one", "two"]
    assert table.labels is None and table.label_names is None
    refused(path, "unlabelled")
    cut = write(tmp_path, "cut.csv.gz", gzip.compress(b"text\none\n")[:-9])
    refused(cut, "gzip", label=None)
    bare = write(tmp_path, "bare.csv.gz", b"text\none\n")
    refused(bare, "gzip", label=None)


def test_multilabel(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\nx,b|a\ny,\nz,c\n")
    table = read_table(path, "text", label="label", task="multilabel")
    assert table.label_names == ("a", "b", "c")
    assert table.labels.dtype == np.float32
    assert table.labels.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    path = write(
        tmp_path,
        "a.jsonl",
        '{"text": "x", "label": ["c", "b"]}\n{"text": "x", "label": []}\n',
    )
    table = read_table(
        path,
        "text",
        label="label",
        task="multilabel",
        label_names=table.label_names,
    )
    assert table.labels.tolist() == [[0, 1, 1], [0, 0, 0]]
    path = write(tmp_path, "b.csv", "text,label\nx,a||b\n")
    refused(path, "line 2", "empty", task="multilabel")
    path = write(tmp_path, "none.csv", "text,label\nx,\n")
    refused(path, "at least 1", task="multilabel")


def test_regression(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\nx,1.5\ny,-2e1\n")
    table = read_table(path, "text", label="label", task="regression")
    assert table.labels.dtype == np.float32
    assert table.labels.tolist() == [1.5, -20.0]
    assert table.label_names is None
    for cell in ("nan", "-inf", "1e39", "high", '"1,5"', ""):
        path = write(tmp_path, "b.csv", f"text,label\nx,1\ny,{cell}\n")
        refused(path, "line 3", "'label'", "number", task="regression")
    for cell in ("true", "null", "[1]", "NaN"):
        row = f'{{"text": "x", "label": {cell}}}\n'
        path = write(tmp_path, "b.jsonl", row)
        refused(path, "line 1", "number", task="regression")


def test_label_names_of_another_file(tmp_path):
    path = write(tmp_path, "dev.csv", "text,label\nx,c\ny,c\n")
    table = read_table(path, "text", label="label", label_names=("b", "c"))
    assert table.labels.tolist() == [1, 1]
    refused(path, "line 2", "'c'", "['a', 'b']", label_names=("a", "b"))
    refused(path, "twice", label_names=("c", "c"))
    refused(path, "at least 2", "['c']")  # one class only


def test_numbers_are_classes_by_value_if_they_are_whole(tmp_path):
    rows = "".join(f"x,{n}.0\n" for n in (10, 9, -1))
    path = write(tmp_path, "a.csv", "text,label\n" + rows)
    table = read_table(path, "text", label="label")
    assert table.label_names == ("-1.0", "9.0", "10.0")
    path = write(tmp_path, "b.csv", "text,label\nx,4.0\ny,3.25\n")
    refused(path, "line 3", "'3.25'", "task='regression'")
    path = write(tmp_path, "c.csv", "text,label\nx,v1.5\ny,2.5\n")
    assert read_table(path, "text", label="label").label_names[0] == "2.5"


def test_a_column_of_ids_is_no_label(tmp_path):
    rows = [f"{i},text {i},{'ab'[i % 2]}\n" for i in range(41)]
    path = write(tmp_path, "a.csv", "id,text,label\n" + "".join(rows))
    refused(path, "41 classes in 41 rows", "id", label="id")
    assert len(read_table(path, "text", label="label").label_names) == 2
    refused(path, "['text', 'text']", "a column of its own", label="text")


def test_labels_joined_otherwise(tmp_path):
    for cell in ('"b, a"', "b;a", "\"['b', 'a']\""):
        path = write(tmp_path, "a.csv", f"text,label\nx,a\ny,{cell}\n")
        refused(path, "line 3", "'a|b'", task="multilabel")
    path = write(tmp_path, "a.csv", 'text,label\nx,a|b\ny,"c, d"\n')
    table = read_table(path, "text", label="label", task="multilabel")
    assert table.label_names == ("a", "b", "c, d")


def test_take(tmp_path):
    path = write(tmp_path, "a.csv", "a,b,label\nu,x,0\nv,y,1\nw,z,0\n")
    table = read_table(path, "a", second_text="b", label="label")
    taken = table.take(np.array([2, 1]))
    assert taken.texts == ["w", "v"]
    assert taken.second_texts == ["z", "y"]
    assert taken.labels.tolist() == [0, 1]
    assert taken.label_names == table.label_names
    assert len(taken) == 2
    with pytest.raises(ValueError, match=r"got bool: .*np.flatnonzero\(mask"):
        table.take(np.array([True, False, True]))
    with pytest.raises(ValueError, match="got float64: make whole numbers"):
        table.take([0.5, 1.0])


def test_texts_of_two_tables(tmp_path):
    one = write(tmp_path, "a.csv", "a,b,label\nu,x,0\nv,y,1\n")
    two = write(tmp_path, "b.tsv", "b\ta\nz\tw\n")
    pairs = read_table(one, "a", second_text="b", label="label")
    both = pairs.with_texts_of(read_table(two, "a", second_text="b"))
    assert both.texts == ["u", "v", "w"]
    assert both.second_texts == ["x", "y", "z"]
    assert both.labels is None and both.path == f"{one} and {two}"
    assert pairs.texts == ["u", "v"]
    with pytest.raises(ValueError, match=r"a\.csv and .*b\.tsv: one has pairs"):
        pairs.with_texts_of(read_table(two, "a"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", ["empty"]),
        ("a.csv", "text,label\n", ["no rows"]),
        ("a.txt", "\n\n", ["no rows"]),
        ("a.xlsx", "text", [".csv", ".jsonl"]),
        ("text", "text", [".csv", ".jsonl"]),
        ("a.csv", "tweet,label\nx,a\n", ["line 1", "'text'", "'tweet'"]),
        ("a.csv", "text,text,label\nx,x,a\n", ["line 1", "twice"]),
        ("a.csv", "text,label\nx,a\n\ny\n", ["line 4", "1 cells", "2 columns"]),
        ("a.csv", 'text,label\n"x\ny",a\nz,b,c\n', ["line 4", "3 cells"]),
        ("a.tsv", "text\tlabel\nx\ta\nx\ty\tb\n", ["line 3", "3 cells"]),
        ("a.csv", 'text,label\nx,a\n"y,b\nz,a\n', ["line 3", "quote"]),
        ("a.csv", 'text,label\nx,a\n"y"z,b\n', ["line 3", "CSV"]),
        ("a.csv", "text,label\nx,a\n  ,b\n", ["line 3", "'text'", "empty"]),
        ("a.csv", "text,label\nx,a\ny, \n", ["line 3", "'label'", "label"]),
        ("a.csv", b"text,label\nx,a\ny\xff,b\n", ["line 3", "0xff", "UTF-8"]),
        ("a.csv", "text,label\nx,a\n".encode("utf-16"), ["line 1", "UTF-16 "]),
        ("a.csv", b"text,label\nx,a\n\x93y\x94,b\n", ["line 3", "WINDOWS"]),
        ("a.csv", gzip.compress(b"text,label\n"), ["add .gz"]),
        ("a.csv", "text;label\nx;a\n", ["line 1", "'text;label'", "Commas"]),
        ("a.csv", b"text,label\nx,a\n" + b"y" * 10**7, ["line 3", ".jsonl"]),
        ("a.jsonl", '{"text": "x", "label": "a"}\n{"te', ["line 2", "JSON"]),
        ("a.jsonl", '["x"]\n', ["line 1", "object"]),
        ("a.jsonl", '{"text": "x"}\n', ["line 1", "'label'", "['text']"]),
        ("a.jsonl", '{"text": 1, "label": "a"}', ["line 1", "text", "1"]),
        ("a.jsonl", '{"text": "x", "label": true}', ["line 1", "True"]),
        ("a.jsonl", '{"text": "x", "label": 0.5}', ["line 1", "0.5"]),
        ("a.jsonl", '{"text": "x", "label": null}', ["line 1", "empty"]),
        ("a.jsonl", '{"text": "\\ud800", "label": 1}', ["line 1", "surrogate"]),
        ("a.jsonl", "[" * 100_000, ["line 1", "JSON"]),
    ],
)
def test_bad_file(tmp_path, name, content, words):
    path = write(tmp_path, name, content)
    refused(path, *words, label=None if name.endswith(".txt") else "label")


def test_a_message_is_short_however_wrong_the_file(tmp_path):
    """Carriage returns alone make one line of a file, and a label of a text."""
    rows = "".join(f"text {i}\t{i % 2}\r" for i in range(10_000))
    header = write(tmp_path, "a.tsv", "text\tmood\r" + rows)
    label = write(
        tmp_path, "b.tsv", "text\tlabel\nx\ta\ny\tb\nz\t" + "b" * 10**6
    )
    quote = write(tmp_path, "c.csv", "text,label\rx,a\ry,b\r")
    for path, said in ((header, "line 1"), (label, "line 4")):
        with pytest.raises(ValueError, match=said) as caught:
            read_table(path, "text", label="label", label_names=("a", "b"))
        assert len(str(caught.value)) < 1000
    refused(quote, "carriage returns")


def test_empty_second_text(tmp_path):
    path = write(tmp_path, "a.csv", "a,b\nx,y\nx,\n")
    refused(
        path, "line 3", "'b'", "empty", text="a", label=None, second_text="b"
    )


def test_csv_s_quotes_in_a_tsv_are_told(tmp_path):
    content = (
        'text\tlabel\n"a"\tx\n"he said ""no"" twice"\ty\n"so" "is" this\tx\n'
    )
    path = write(tmp_path, "a.tsv", content)
    with pytest.warns(UserWarning, match="a.tsv: 1 lines, the first of them 3"):
        table = read_table(path, "text", label="label")
    assert table.texts[1] == '"he said ""no"" twice"'
    # Quotes of a text's own say nothing.
    content = content.replace('""no""', "no").replace("this", '"this""')
    read_table(write(tmp_path, "b.tsv", content), "text", label="label")


def test_a_folder_for_a_file(tmp_path):
    (tmp_path / "a.csv").mkdir()
    refused(tmp_path / "a.csv", "is a folder: name the file in it")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"):
        read_table(tmp_path / "absent.csv", "text")


def test_damaged_characters_can_be_let_through(tmp_path):
    path = write(tmp_path, "a.csv", b"text\ny\xffz\n")
    table = read_table(path, "text", encoding_errors="replace")
    assert table.texts == ["y\ufffdz"]


def test_bad_arguments(tmp_path):
    path = write(tmp_path, "a.csv", "text,label\nx,1\n")
    with pytest.raises(ValueError, match="task='ranking'"):
        read_table(path, "text", label="label", task="ranking")
    with pytest.raises(ValueError, match="encoding_errors='ignore'"):
        read_table(path, "text", encoding_errors="ignore")
    with pytest.raises(ValueError, match="label_names"):
        read_table(path, "text", label_names=("a", "b"))
