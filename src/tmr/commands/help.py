"""The help page of a command, from its config file: the comment at the head, groups and options."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HIDDEN = ("defaults:", "hydra:")  # blocks that only Hydra reads


@dataclass(frozen=True)
class ConfigFile:
    """The config file of a command, read without Hydra, which takes a second to import."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / f"{self.name}.yaml"

    def groups(self) -> dict[str, str | None]:
        """The config groups of the command, and which choice is the default."""
        entries = [entry for entry in self._defaults() if isinstance(entry, Mapping)]
        return {
            str(group).removeprefix("optional ").strip(): choice
            for entry in entries
            for group, choice in entry.items()
            if not str(group).startswith("override ")
        }

    def options(self) -> list[str]:
        """Names of the options, those in groups left out."""
        found = [yaml.safe_load(file.read_text("utf-8")) or {} for file in self._files()]
        return [key for part in found for key in part if f"{key}:" not in HIDDEN]

    def choices(self, group: str) -> list[str]:
        """The choices of a group."""
        files = sorted((self.folder / group).glob("*.yaml"))
        return [file.stem for file in files if not file.stem.startswith("_")]

    def head(self) -> list[str]:
        """The comment at the head: what the command does, with examples."""
        lines = self.path.read_text("utf-8").splitlines()
        head = itertools.takewhile(lambda line: line.startswith("#"), lines)
        return [line.removeprefix("#").removeprefix(" ") for line in head]

    def example(self) -> str | None:
        """The first complete command of the head."""
        return next((x.strip() for x in self.head() if x.strip().startswith("python ")), None)

    def help_page(self) -> str:
        """What the command does, its groups with their choices, and its options with comments."""
        page = self.head()
        groups = self.groups()
        if groups:
            page += ["", "Groups (group=choice, and group.option=value):"]
            for group, chosen in groups.items():
                page.append(f"  {group}={chosen or 'null'}  of  {', '.join(self.choices(group))}")
                inside = self._inside(group, chosen) if chosen else []
                page += [f"      {group}.{option}" for option in inside]
        page += ["", "Options (option=value), with their defaults:", ""]
        *shared, own = self._files()
        page += _option_lines(own)
        again = tuple(f"{key}:" for key in yaml.safe_load(own.read_text("utf-8")) or {})
        for file in reversed(shared):
            page += [line for line in _option_lines(file) if not line.startswith(again)]
        page += [
            "",
            "Show the whole config: --cfg job. Several values, one run each: -m.",
        ]
        return "\n".join(page)

    def _defaults(self) -> list[Any]:
        return (yaml.safe_load(self.path.read_text("utf-8")) or {}).get("defaults", [])

    def _files(self) -> list[Path]:
        """The config files whose options are the command's own: the shared ones, then its own."""
        shared = [entry for entry in self._defaults() if str(entry).startswith("shared/")]
        return [*(self.folder / f"{entry}.yaml" for entry in shared), self.path]

    def _inside(self, group: str, choice: str) -> list[str]:
        """`option: value` of a choice, those of the files that it is based on among them."""
        return [f"{name}={value}" for name, value in _flat(self._choice(group, choice))]

    def _choice(self, group: str, choice: str) -> dict[str, Any]:
        path = self.folder / group / f"{choice}.yaml"
        own = (yaml.safe_load(path.read_text("utf-8")) or {}) if path.is_file() else {}
        merged: dict[str, Any] = {}
        for base in own.pop("defaults", []):
            if isinstance(base, str) and base != "_self_":
                merged = _merge(merged, self._choice(group, base))
        return _merge(merged, own)


def _merge(first: dict[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    both = {k: v for k, v in second.items() if k in first and isinstance(v, Mapping)}
    return first | dict(second) | {k: _merge(first[k] or {}, v) for k, v in both.items()}


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif not str(key).startswith("_"):
            yield f"{prefix}{key}", value


def _option_lines(file: Path) -> list[str]:
    """The lines of the options of a file, with their comments; its head and hidden blocks not."""
    lines = file.read_text("utf-8").splitlines()
    hidden = False
    shown: list[str] = []
    for line in itertools.dropwhile(lambda line: line.startswith("#"), lines):
        if line and not line.startswith((" ", "-")):
            hidden = line.startswith(HIDDEN)
        if not hidden:
            shown.append(line)
    text = "\n".join(shown).strip()
    return text.splitlines()
