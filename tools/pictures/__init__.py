"""The drawings of the docs, made from figures and code: `python -m tools.pictures`, `--check` only compares."""
