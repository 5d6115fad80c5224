"""A WordPiece tokenizer as Hugging Face's files."""

import json

SPECIAL_WORDS = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}


def tokenizer_files(words, *, lowercase, strip_accents, max_length, segments):
    """The files of a tokenizer that `transformers.AutoTokenizer` reads.

    Args:
        words: list of str, in order of their ids.
        lowercase: bool.
        strip_accents: bool.
        max_length: int, the longest sequence that its model takes.
        segments: bool, whether its model has segment ids.

    Returns:
        dict of content, str, by file name.

    Raises:
        ValueError: a special word, such as [CLS], is not among the words, or
            a word cannot stand in a line.

    Example:
        >>> from tf_distill.checkpoints.tokenizer_files import tokenizer_files
        >>> words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
        >>> files = tokenizer_files(words, lowercase=True, strip_accents=True,
        ...                         max_length=512, segments=True)
        >>> sorted(files)
        ['special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json',
         'vocab.txt']
    """
    ids = {word: number for number, word in enumerate(words)}
    missing = [word for word in SPECIAL_WORDS.values() if word not in ids]
    broken = [word for word in words if {"\n", "\r"} & set(word)]
    if missing or broken or len(ids) < len(words):
        raise ValueError(
            "The tokenizer's words cannot be written as vocab.txt: missing "
            f"{missing}, with a line's end in them {broken}, and "
            f"{len(words) - len(ids)} are there twice."
        )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": lowercase,
        "strip_accents": strip_accents,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
        "model_input_names": names if segments else [names[0], names[2]],
        **SPECIAL_WORDS,
    }
    return {
        "vocab.txt": "\n".join(words) + "\n",
        "tokenizer.json": _json(_tokenizer(ids, lowercase, strip_accents)),
        "tokenizer_config.json": _json(config),
        "special_tokens_map.json": _json(SPECIAL_WORDS),
    }


def _tokenizer(ids, lowercase, strip_accents):
    """What the `tokenizers` package saves for BERT."""

    def word(name):
        return {"SpecialToken": {"id": name, "type_id": 0}}

    first = [word("[CLS]"), {"Sequence": {"id": "A", "type_id": 0}}]
    first.append(word("[SEP]"))
    second = [
        {"Sequence": {"id": "B", "type_id": 1}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": ids[name],
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for name in sorted(SPECIAL_WORDS.values(), key=ids.get)
        ],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": strip_accents,
            "lowercase": lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": first,
            "pair": first + second,
            "special_tokens": {
                name: {"id": name, "ids": [ids[name]], "tokens": [name]}
                for name in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }


def _json(content):
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
