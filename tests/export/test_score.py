import subprocess
import sys

import numpy as np
import pytest
from conftest import QUESTIONS, TEXTS, make_task

from tf_distill import export
from tf_distill.export import example_batches
from tf_distill.export import score as score_file
from tf_distill.export.example_batches import flat_texts


def test_rows_keep_their_order_in_many_batches(exported, monkeypatch):
    monkeypatch.setattr(example_batches, "BATCH_SIZE", 3)
    encoded = vars(exported.encoded)
    outputs = score_file.score(exported.lite, encoded)
    np.testing.assert_allclose(
        outputs["tokens_logits"], exported.logits, atol=1e-3
    )
    texts = flat_texts(TEXTS)
    outputs = score_file.score(exported.version, {**texts, **encoded})
    for signature in ["text", "tokens"]:
        np.testing.assert_allclose(
            outputs[f"{signature}_logits"], exported.logits, atol=1e-4
        )


def test_progress_counts_every_row_once(exported, monkeypatch):
    monkeypatch.setattr(example_batches, "BATCH_SIZE", 2)
    texts, told = TEXTS[:3], []
    score_file.score(
        exported.version,
        flat_texts(texts) | vars(exported.encoded),
        lambda *numbers: told.append(numbers),
    )
    rows = len(texts) + len(TEXTS)
    # Batches of 2 and 1 texts, then of 2 rows of ids each.
    assert [done for done, _ in told[:3]] == [2, 3, 5]
    assert told[-1] == (rows, rows)
    assert {total for _, total in told} == {rows}


def test_progress_comes_from_the_new_process(exported):
    assert exported.from_saved_model
    assert exported.progress[-1] == (2 * len(TEXTS), 2 * len(TEXTS))


def test_what_else_a_process_prints_is_no_progress():
    program = (
        "import sys; print('INFO: loaded 1/2'); print('3/7 rows'); "
        "sys.stderr.buffer.write(b'caf\\xe9'); sys.exit(4)"
    )
    told = []
    status, errors = score_file._run(
        [sys.executable, "-c", program],
        lambda *numbers: told.append(numbers),
    )
    assert (status, told) == (4, [(3, 7)])
    assert errors.startswith("caf")


def test_pairs_and_str(tmp_path):
    version = export.saved_model(make_task(), tmp_path, pairs=True)
    pairs = [("so good", "bad"), ("", "déjà"), ("day", "")]
    outputs = score_file.score(version, flat_texts(pairs))
    with pytest.raises(ValueError, match="takes second_text, text, but single"):
        score_file.score(version, flat_texts(["so good"]))
    loaded = score_file._saved_model_signatures(version)[0]
    for row, (first, second) in enumerate(pairs):
        alone = loaded(text=[first], second_text=[second])
        np.testing.assert_allclose(
            outputs["text_logits"][row], alone["logits"][0], atol=1e-5
        )


def test_questions_and_contexts(answering, monkeypatch):
    monkeypatch.setattr(example_batches, "BATCH_SIZE", 2)
    texts = flat_texts(QUESTIONS)
    outputs = score_file.score(answering.version, texts)
    loaded = score_file._saved_model_signatures(answering.version)[0]
    for row, (question, context) in enumerate(QUESTIONS):
        alone = loaded(question=[question], context=[context])
        answer = alone["answer"][0].decode()
        assert outputs["text_answer"][row] == answer
        assert outputs["text_start"][row] == alone["start"][0]
    assert any(outputs["text_answer"])
    with pytest.raises(ValueError, match="takes context, question, but sing"):
        score_file.score(answering.version, flat_texts(["who?"]))


def test_values_of_tokens_in_batches_of_other_lengths(monkeypatch):
    """Each row's own, in the rows' order, and fillers after them."""
    monkeypatch.setattr(example_batches, "BATCH_SIZE", 2)
    lengths = np.array([3, 1, 2])
    data = {
        "token_ids": np.array([5, 6, 7, 8, 9, 10], "int32"),
        "segment_ids": np.zeros(6, "int32"),
        "offsets": np.cumsum([0, *lengths]),
    }

    def run(token_ids, segment_ids, padding_mask):
        names = np.array([f"é{i}".encode() for i in token_ids.flat], object)
        return {
            "logits": np.stack([token_ids, -token_ids], -1).astype("float32"),
            "start": token_ids,
            "label": names.reshape(token_ids.shape),
        }

    batches = example_batches.token_batches(data)
    found = example_batches.rows_of("tokens", *batches, run)
    # Rows of 1 and 2 tokens are a batch, of 2; then that of 3.
    starts = [[5, 6, 7], [8, 0, -1], [9, 10, -1]]
    assert found["tokens_start"].tolist() == starts
    assert found["tokens_label"].tolist() == [
        ["é5", "é6", "é7"],
        ["é8", "é0", ""],
        ["é9", "é10", ""],
    ]
    assert found["tokens_logits"][..., 1].tolist() == [
        [-5, -6, -7],
        [-8, 0, 0],
        [-9, -10, 0],
    ]


def test_nothing_to_score(exported):
    assert score_file.score(exported.lite, _no_rows()) == {}
    with pytest.raises(ValueError, match="nothing to score"):
        export.score_in_new_process(exported.lite)
    with pytest.raises(ValueError, match="has no tokenizer"):
        export.score_in_new_process(exported.lite, TEXTS)
    with pytest.raises(ValueError, match="is not there"):
        export.score_in_new_process(exported.lite.with_name("no"), TEXTS)


def _no_rows():
    none = np.zeros(0, "int32")
    return {"token_ids": none, "segment_ids": none, "offsets": [0]}


def test_a_process_that_fails_says_why(tmp_path, exported):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(exported.lite.read_bytes()[:1000])
    with pytest.raises(RuntimeError, match="broken.tflite' .* failed"):
        export.score_in_new_process(broken, encoded=exported.encoded)


def test_command_line(tmp_path, exported):
    np.savez(tmp_path / "data.npz", **vars(exported.encoded))
    output = tmp_path / "deep" / "output.npz"
    arguments = [str(exported.lite), "--data", str(tmp_path / "data.npz")]
    score_file.main([*arguments, "--output", str(output)])
    with np.load(output) as outputs:
        np.testing.assert_allclose(
            outputs["tokens_logits"], exported.logits, atol=1e-3
        )


def test_help_and_import_are_light():
    program = (
        "import sys, tf_distill.export, tf_distill.export.score as score\n"
        "try: score.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print({'tensorflow', 'keras', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "version folder" in done.stdout
    assert done.stdout.endswith("set()\n")
