"""Text in: files to tables, tables to splits, texts to token ids to batches.

`read_table` → `split_table` → `encode` → `BucketedBatches`, which `fit`,
`evaluate` and `predict` take.

Importing this package loads neither Keras nor TensorFlow, so that a fault in
a file is told at once.
"""

from tf_distill.data.augmentation import AUGMENTED_COPIES, Augmenter
from tf_distill.data.corpus import read_documents
from tf_distill.data.document import Document
from tf_distill.data.encode import Encoded, encode
from tf_distill.data.glove import Glove, read_glove
from tf_distill.data.glue import read_glue, write_glue_submission
from tf_distill.data.glue_tasks import GLUE_TASKS, GlueTask, glue_task
from tf_distill.data.held_out import split_table, without_near_duplicates
from tf_distill.data.imdb import read_imdb
from tf_distill.data.masking import Masking, smoothed_weights
from tf_distill.data.prepare_corpus import prepare_corpus
from tf_distill.data.prepared_corpus import PreparedCorpus
from tf_distill.data.sentences import clean_text, split_sentences
from tf_distill.data.sequences import full_sequences, sentence_pairs
from tf_distill.data.splits import (
    NEAR_DUPLICATE_JACCARD,
    group_near_duplicates,
    normalise,
    split_by_group,
)
from tf_distill.data.squad import (
    Answer,
    Question,
    read_squad,
    read_squad_file,
)
from tf_distill.data.squad_windows import SquadWindows, squad_windows
from tf_distill.data.tables import Table, read_table
from tf_distill.data.vocabulary import train_vocabulary

__all__ = [
    "AUGMENTED_COPIES",
    "GLUE_TASKS",
    "NEAR_DUPLICATE_JACCARD",
    "Answer",
    "Augmenter",
    "BucketedBatches",
    "Document",
    "Encoded",
    "Glove",
    "GlueTask",
    "MaskedBatches",
    "Masking",
    "PreparedCorpus",
    "Question",
    "SquadWindows",
    "Table",
    "clean_text",
    "encode",
    "full_sequences",
    "glue_task",
    "group_near_duplicates",
    "normalise",
    "prepare_corpus",
    "read_documents",
    "read_glove",
    "read_glue",
    "read_imdb",
    "read_squad",
    "read_squad_file",
    "read_table",
    "sentence_pairs",
    "smoothed_weights",
    "split_by_group",
    "split_sentences",
    "split_table",
    "squad_windows",
    "train_vocabulary",
    "without_near_duplicates",
    "write_glue_submission",
]


def __getattr__(name):
    # Late, because these are classes of Keras'.
    if name == "BucketedBatches":
        from tf_distill.data.batches import BucketedBatches

        return BucketedBatches
    if name == "MaskedBatches":
        from tf_distill.data.masked_batches import MaskedBatches

        return MaskedBatches
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
