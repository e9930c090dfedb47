"""Zero-shot recognition: actions named by sentences, without training on labels."""

from tmr.zero_shot.confusion_plot import draw_confusion
from tmr.zero_shot.evaluation import LabeledMotion, Recognized, labeled_motions, recognize
from tmr.zero_shot.labels import LabelSet
from tmr.zero_shot.recognition import (
    Recognition,
    evaluate_recognition,
    label_probabilities,
    summary,
    truth_table,
)

__all__ = [
    "LabelSet",
    "LabeledMotion",
    "Recognition",
    "Recognized",
    "draw_confusion",
    "evaluate_recognition",
    "label_probabilities",
    "labeled_motions",
    "recognize",
    "summary",
    "truth_table",
]
