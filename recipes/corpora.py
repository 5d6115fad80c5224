"""Plain text: what the recipes that pre-train have in common.

Copy this file and what it imports along with the recipe that you copy.
"""

import itertools
import pathlib
import warnings

from prepared_corpora import is_prepared, open_prepared
from progress_line import say

HELD_OUT_DOCUMENTS = 1500  # more would only take longer at every epoch


def read_masked_lm(preset, trained_here):
    """A masked language model of BERT, with its tokenizer.

    Args:
        preset: a folder, a handle or a preset.
        trained_here: bool, whether a head that is missing will be trained.

    Raises:
        ValueError: it has no tokenizer, or no head, and gets none.
    """
    import tf_distill as td

    new = td.models.NewHeadWarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if trained_here else "error", new)
        try:
            model = td.models.BertMaskedLM.from_preset(preset)
        except new as warning:
            raise ValueError(
                f"{warning} What it would say of a word is noise: train it "
                "first, by distil_bert_pretrain.py with --teacher-epochs 1, or "
                "give one of Hugging Face's, such as "
                "hf://google-bert/bert-base-uncased."
            ) from None
    if model.preprocessor is None:
        raise ValueError(f"{preset} has no tokenizer: save it with one.")
    return model


def read_encoder(preset):
    """An encoder of BERT and its tokenizer, whatever head it was saved with."""
    import tf_distill as td

    model = td.models.BertTextClassifier.from_preset(preset, num_classes=2)
    if model.preprocessor is None:
        raise ValueError(f"{preset} has no tokenizer: save it with one.")
    return model.backbone, model.preprocessor.tokenizer


def read_corpus(config, tokenizer, *, pairs=False):
    """The corpus as token ids in files, made in the run folder if need be.

    Args:
        config: has `corpus` (text, or a folder of prepare_corpus's), `layout`,
            `documents`, `max_length`, `seed`, `smoke` and `run`.
        tokenizer: `keras_hub.models.BertTokenizer`.
        pairs: bool, whether to make pairs of text that does not come so.

    Returns:
        `PreparedCorpus`, or of one the first examples.
    """
    if is_prepared(config.corpus):
        corpus = open_prepared(config, tokenizer)
    else:
        corpus = prepare(
            config,
            config.corpus,
            config.layout,
            config.documents,
            "corpus",
            tokenizer,
            pairs,
        )
    say(f"{len(corpus)} sequences, {corpus.lengths.sum():,} tokens.")
    return corpus


def prepare(config, text, layout, documents, name, tokenizer, pairs):
    """Makes text into token ids in a folder of the run."""
    import tf_distill as td

    read = td.data.read_documents(text, layout)
    return td.data.prepare_corpus(
        itertools.islice(read, documents),
        pathlib.Path(config.run, name),
        tokenizer,
        max_length=config.max_length,
        pairs=pairs,
        seed=config.seed,
    )


def batches(config, corpus, labels=None):
    """Batches to train on."""
    import tf_distill as td

    return td.data.BucketedBatches(
        corpus, labels, batch_size=config.batch_size, seed=config.seed
    )


def masked_batches(
    config, corpus, tokenizer, *, smoothed=False, next_sentence=False
):
    """Batches of masked words.

    Args:
        config: has `batch_size` and `seed`.
        corpus: `read_corpus`'s.
        tokenizer: `keras_hub.models.BertTokenizer`.
        smoothed: bool, whether rare words are masked more often, as DistilBERT
            has it.
        next_sentence: bool, whether the model tells next sentences, too. One
            that does not can be trained on pairs, but takes no labels of them.

    Raises:
        ValueError: it does, and the corpus has no pairs.
    """
    import tf_distill as td

    weights = labels = None
    if smoothed:
        weights = td.data.smoothed_weights(corpus.token_counts())
    masking = td.data.Masking.of_tokenizer(
        tokenizer, seed=config.seed, token_weights=weights
    )
    if next_sentence:
        labels = corpus.next_sentence_labels
        if labels is None:
            raise ValueError(
                f"{config.corpus} holds single sequences, but the model is "
                "trained on next sentences, too: prepare it with --pairs."
            )
    return td.data.MaskedBatches(batches(config, corpus, labels), masking)


def masked_lm_stage(name, model, data, epochs, optimizer, **fit):
    """Training on masked words, and next sentences where the model tells them.

    Args:
        name: of the stage.
        model: masked language model.
        data: `masked_batches`'.
        epochs: int.
        optimizer: function of the number of steps.
        **fit: further arguments of `Stage`.
    """
    from tf_distill.methods.distillation_stage import label_stage
    from tf_distill.methods.labels import masked_lm_losses

    losses = masked_lm_losses(model)
    return label_stage(name, model, data, epochs, optimizer, **losses, **fit)


class HeldOut:
    """How many masked words of held-out text models find.

    Args:
        config: has `held_out`, `held_out_layout` and what `prepare` reads.
        tokenizer: of the models.
        pairs: bool.
    """

    def __init__(self, config, tokenizer, *, pairs=False):
        import tf_distill as td

        corpus = prepare(
            config,
            config.held_out,
            config.held_out_layout,
            HELD_OUT_DOCUMENTS,
            "held_out",
            tokenizer,
            pairs,
        )
        self.data = td.data.MaskedBatches(
            td.data.BucketedBatches(corpus, batch_size=32, shuffle=False),
            td.data.Masking.of_tokenizer(tokenizer),  # the same for all runs
        )

    def scorer(self, model):
        """A function without arguments that returns a model's scores."""
        import tensorflow as tf

        matrix = tf.TensorSpec([None, None], "int32")

        @tf.function(input_signature=[dict.fromkeys(model.input, matrix)])
        def predict(inputs):
            logits = model(inputs, training=False)
            if isinstance(logits, dict):
                logits = logits["masked_lm"]
            return tf.argmax(logits, -1, tf.int32)

        def score():
            right = total = 0
            for step in range(len(self.data)):
                inputs, words = self.data[step]
                found = predict({name: inputs[name] for name in model.input})
                counted = inputs["mask_weights"] > 0
                right += int(((found.numpy() == words) & counted).sum())
                total += int(counted.sum())
            return {"masked_lm_accuracy": right / total}

        return score


def encoder_row(name, role, backbone, **scores):
    """What a table says of an encoder."""
    import tf_distill as td

    length = min(128, backbone.max_sequence_length)
    parameters = td.benchmark.count_parameters(backbone)
    return {
        "name": name,
        "role": role,
        **scores,
        "parameters": parameters,
        "flops": td.benchmark.count_flops(backbone, length),
        "bytes": 4 * parameters,
    }
