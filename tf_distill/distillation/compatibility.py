"""What must agree between a student and a teacher before they meet."""

import re


def check_vocabularies(student, teacher):
    """Raises where the two would read one batch of token ids differently.

    Args:
        student, teacher: models; those without an encoder or a tokenizer of
            their own are taken at their word.

    Raises:
        ValueError: the sizes or the word pieces differ.
    """
    sizes = [_attribute(m, "vocabulary_size") for m in (student, teacher)]
    if None not in sizes and sizes[0] != sizes[1]:
        raise ValueError(
            f"The student has a vocabulary of {sizes[0]:,} and the teacher of "
            f"{sizes[1]:,}, but they read the same token ids. Build the "
            f"student with `vocabulary_size={sizes[1]}` and the teacher's "
            "tokenizer."
        )
    words = [_vocabulary(model) for model in (student, teacher)]
    if None not in words and words[0] != words[1]:
        pairs = enumerate(zip(*words, strict=False))
        different = (i for i, (ours, theirs) in pairs if ours != theirs)
        index = next(different, min(map(len, words)))
        raise ValueError(
            "The student's tokenizer and the teacher's have different words, "
            f"first at id {index}, but they read the same token ids. Give the "
            "student the teacher's preprocessor."
        )


def check_label_names(student, teacher):
    """Raises where one logit would mean two classes.

    Args:
        student, teacher: models; those without `label_names`, or with
            placeholders such as LABEL_0 only, are taken at their word.

    Raises:
        ValueError: both name their classes, and not alike.
    """
    names = [_label_names(model) for model in (student, teacher)]
    if None not in names and names[0] != names[1]:
        raise ValueError(
            f"The student's `label_names` are {names[0]} and the teacher's "
            f"{names[1]}, but their logits are compared one by one. Build the "
            "student with `label_names=teacher.label_names`."
        )


def _label_names(model):
    names = getattr(model, "label_names", None)
    if names is None or all(_is_placeholder(name) for name in names):
        return None
    return [str(name) for name in names]


def _is_placeholder(name):
    """Whether a class has no name but a number, as Hugging Face gives."""
    return re.fullmatch(r"(LABEL_)?\d+", str(name)) is not None


def _attribute(model, name):
    encoder = getattr(model, "backbone", None) or model
    return getattr(encoder, name, None)


def _vocabulary(model):
    preprocessor = getattr(model, "preprocessor", None)
    tokenizer = getattr(preprocessor, "tokenizer", None)
    if tokenizer is None:
        return None
    return tokenizer.get_vocabulary()
