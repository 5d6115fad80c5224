"""Recipes are copied and edited, not imported."""

raise ModuleNotFoundError(
    "Recipes are scripts to copy and edit, not modules to import. What they "
    "are made of is in `tf_distill`."
)
