"""What a folder's encoder does otherwise here than in `transformers`."""

import warnings

from tf_distill.checkpoints.settings import fraction

# Its layer normalization of the embeddings, and that after each block's last
# feed-forward network, have PyTorch's epsilon and not the config's.
EPSILON = (
    "transformers computes some layer normalizations of a MobileBERT with "
    '"layer_norm" (of the embeddings, and after the last feed-forward network '
    "of each block) with an epsilon of 1e-5, this package, as Google's code, "
    "with 1e-12: outputs differ a little."
)


def warn_of_differences(folder, arguments, stacklevel):
    """Warns of what is read and is not quite what `transformers` computes.

    Args:
        folder: `HuggingFaceFolder`.
        arguments: dict, the encoder's as the folder's config has them.
        stacklevel: of the warnings, as `warnings.warn` has it.

    Raises:
        ValueError: the config's dropout of the attention is no such number.
    """
    config = folder.config
    if "attention_dropout" not in arguments:
        name = "attention_probs_dropout_prob"
        if config.get("model_type") == "distilbert":
            name = "attention_dropout"
        rate = folder.arguments(lambda content: fraction(content, name, 0.1))
        if rate != arguments["dropout"]:
            warnings.warn(
                f"{folder.config_file} has {name} {rate}, but this encoder has "
                f"one dropout for all: {arguments['dropout']} unless another "
                "is passed. It matters in training only.",
                stacklevel=stacklevel + 1,
            )
    # Google's own checkpoints are of Google's code.
    of_google = folder.config_file.name == "bert_config.json"
    if arguments.get("normalization") == "layer_norm" and not of_google:
        warnings.warn(f"{folder.path}: {EPSILON}", stacklevel=stacklevel + 1)
