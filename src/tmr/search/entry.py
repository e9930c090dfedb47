"""What a library knows of its motions beside their latents."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TakeInfo:
    """A motion of a library: a recorded file, a motion of a data set, or an array.

    ``file`` is relative to the folder of the library's source, absolute for a file from elsewhere,
    and empty for an array. ``frames`` counts those of the file at its own rate, ``fps``. ``stamp``
    stands for the content and the options it was read with.
    """

    key: str
    file: str = ""
    fps: float | int = 20
    frames: int = 0
    captions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    mirrored: bool = False
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a library: the seconds [``start``, ``end``) of a take.

    ``window`` is the nominal length in seconds of a window, and 0 where the row stands for the
    whole take, or for the part of it that its first caption describes.
    """

    take: TakeInfo
    start: float | int
    end: float | int
    window: float | int = 0

    @property
    def key(self) -> str:
        """Key of the take, shared by all its rows."""
        return self.take.key

    @property
    def file(self) -> str:
        """File of the take."""
        return self.take.file

    @property
    def captions(self) -> tuple[str, ...]:
        """Captions of the take."""
        return self.take.captions

    @property
    def seconds(self) -> float:
        """Length of the part; ``length`` in filters."""
        return round(float(self.end - self.start), 6)

    @property
    def frame_span(self) -> tuple[int, int]:
        """First and end frame of the part, at the rate of the file."""
        return frame_span(self.take, self.start, self.end)


def frame_span(take: TakeInfo, start: float | int, end: float | int) -> tuple[int, int]:
    """The frames [first, end) of a take's file, at its own rate, between two times in seconds."""
    last = take.frames or round(end * take.fps)
    return min(round(start * take.fps), last), min(round(end * take.fps), last)
