"""Sets of labels: the sentences that stand for each, and how a motion's true labels are found."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tmr.data import Annotation, Caption
from tmr.errors import InputError


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels and their prompts: every phrase of the label in every template, in place of ``{}``.

    Phrases of a label say the same in other words; templates are cases in which it is said.
    ``phrases`` are those of each label, or just labels, each its own phrase. A motion's true label
    is what the group ``label`` of the regular expression ``pattern`` matches in its path; without
    a pattern, true labels are the action categories of its captions (BABEL's ``act_cat``), and each
    captioned part of a motion is recognized by itself.

    Raises:
        InputError: fewer than two labels, one without a phrase, a template without ``{}``, or a
            pattern without the group.
    """

    name: str
    phrases: Mapping[str, Sequence[str]] | Sequence[str]
    templates: Sequence[str] = ("{}",)
    pattern: str | None = None

    def __post_init__(self) -> None:
        if len(self.phrases) < 2:
            raise InputError(f"labels={self.name} has {len(self.phrases)} labels; expected two")
        if not all(all(prompts) for prompts in self.prompts.values()):
            raise InputError(f"labels={self.name}: a label has no phrase")
        if any("{}" not in template for template in self.templates):
            raise InputError(f"labels={self.name}: found a template without {{}}")
        if self.pattern is not None and "(?P<label>" not in self.pattern:
            raise InputError(f"labels={self.name}: the pattern has no group (?P<label>...)")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in their order."""
        return tuple(self.phrases)

    @property
    def prompts(self) -> dict[str, list[list[str]]]:
        """The sentences that stand for each label: for every template, its phrases in it."""
        phrases = self.phrases
        if not isinstance(phrases, Mapping):
            phrases = {label: [label] for label in phrases}
        return {
            label: [[template.format(p) for p in some] for template in self.templates]
            for label, some in phrases.items()
        }

    def parts(self, annotation: Annotation) -> list[tuple[Caption, frozenset[str]]]:
        """The parts of a motion to recognize, with their true labels; none of other labels."""
        if self.pattern is None:
            found = [
                (c, frozenset(c.categories).intersection(self.labels)) for c in annotation.captions
            ]
            return [(caption, truths) for caption, truths in found if truths]
        match = re.search(self.pattern, annotation.path)
        if match is None or match["label"] not in self.labels:
            return []
        whole = Caption(annotation.key, 0.0, annotation.duration)
        return [(whole, frozenset([match["label"]]))]
