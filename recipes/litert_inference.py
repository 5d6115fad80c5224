"""Runs a .tflite file of `tf_distill.export.litert` without TensorFlow.

    python recipes/litert_inference.py student.tflite "a good film"
    python recipes/litert_inference.py student.tflite "a question" "a context"

Needs `ai-edge-litert`, `tokenizers` and NumPy, and beside the file its
`vocab.txt` and `student.json`. Prints the outputs by name, and the labels'
names in their order, null where there are none. Of a pair that is too long
both texts are cut as in training, but for the odd token. Copy it to where the
file is to run.
"""

import json
import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tokenizers import BertWordPieceTokenizer

if len(sys.argv) not in (3, 4):
    raise SystemExit(f'usage: {sys.argv[0]} FILE.tflite "TEXT" ["TEXT 2"]')
path, texts = pathlib.Path(sys.argv[1]), sys.argv[2:]
for file in (path, path.with_suffix(".json"), path.with_name("vocab.txt")):
    if not file.is_file():
        raise SystemExit(f"error: {file}: no such file; `litert` writes three.")
about = json.loads(path.with_suffix(".json").read_text("utf-8"))
tokenizer = BertWordPieceTokenizer(
    str(path.with_name("vocab.txt")),
    lowercase=about["lowercase"],
    strip_accents=about["strip_accents"],
)
length = about["shape"][1]  # None if the file takes any
tokenizer.enable_truncation(length or about["max_length"])
tokenizer.enable_padding(length=length)
text = tokenizer.encode(*texts)
inputs = {
    "token_ids": text.ids,
    "segment_ids": text.type_ids,
    "padding_mask": text.attention_mask,
}
predict = Interpreter(str(path)).get_signature_runner("serving_default")
outputs = predict(**{k: np.array([v], "int32") for k, v in inputs.items()})
found = {name: value[0].tolist() for name, value in outputs.items()}
print(json.dumps({"label_names": about["label_names"], **found}))
