"""Joints to features and mirrored features."""

from tmr.motion.preprocessing import compute_features


def compute_guoh3dfeats(
    base_folder: str,
    output_folder: str,
    name: str | None,
    x_negated: bool | None,
    processes: int | None,
    overwrite: bool,
) -> None:
    """Compute the features of every joint file below the base folder."""
    compute_features(base_folder, output_folder, name, x_negated, processes, overwrite)
