"""What runs the batches of :mod:`tmr.search.encoding`: processes of this machine, or Ray."""

import logging
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tmr.errors import InputError
from tmr.search.encoding import Batch, Written, encode_batch

log = logging.getLogger(__name__)

ATTEMPTS = 3  # of a batch whose worker dies; then its files are tried one by one
WAITING_PER_WORKER = 2  # batches, so that no worker is idle


@dataclass(frozen=True)
class Processes:
    """Worker processes of this machine."""

    workers: int

    def run(self, batches: Iterable[Batch]) -> Iterator[Written]:
        """What became of each batch; a file that kills its worker each time is skipped."""
        pending = deque((batch, 0) for batch in batches)
        while pending:
            lost: list[tuple[Batch, int]] = []
            yield from self._until_broken(pending, lost)
            for batch, attempts in lost:
                if attempts < ATTEMPTS:
                    pending.append((batch, attempts))
                elif len(batch.listed) > 1:
                    pending.extend((replace(batch, listed=(some,)), 0) for some in batch.listed)
                else:
                    reason = f"its worker died {ATTEMPTS} times"
                    yield Written(skipped={some.take.file: reason for some in batch.listed})

    def _until_broken(
        self, pending: "deque[tuple[Batch, int]]", lost: list[tuple[Batch, int]]
    ) -> Iterator[Written]:
        """Run batches until none is left or a worker dies, which takes the whole pool with it."""
        context = multiprocessing.get_context("spawn")  # Lance and torch do not survive a fork
        pool = ProcessPoolExecutor(self.workers, context, initializer=_exit_with_parent)
        with _closed(pool):
            running: dict[Future[Written], tuple[Batch, int]] = {}
            while pending or running:
                while pending and len(running) < WAITING_PER_WORKER * self.workers:
                    batch, attempts = pending[0]
                    try:
                        running[pool.submit(encode_batch, batch)] = batch, attempts + 1
                    except BrokenProcessPool:  # what is running fails too, and is counted below
                        break
                    pending.popleft()
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                broken = False
                for future in done:
                    job = running.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        broken = True
                        lost.append(job)
                    else:
                        yield result
                if broken:
                    lost.extend(running.values())
                    log.warning("a worker died; %d batches are done again", len(lost))
                    return


@contextmanager
def _closed(pool: ProcessPoolExecutor) -> Iterator[None]:
    """The pool, without the batches that no worker has begun when it is left."""
    try:
        yield
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _exit_with_parent() -> None:
    """End this worker when its parent is killed: nobody else would."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class Ray:
    """Workers of a Ray cluster: all machines that see the files and the library.

    ``address`` is that of a running cluster, None starts one on this machine. A worker takes a
    CPU, and ``gpus_per_worker``. Ray needs a spare CPU to replace a machine that is lost.
    """

    workers: int
    address: str | None = None
    gpus_per_worker: float | int = 0

    def run(self, batches: Iterable[Batch]) -> Iterator[Written]:
        """What became of each batch; Ray itself runs those of lost workers again."""
        ray = _ray()
        started = not ray.is_initialized()
        if started:
            _connect(ray, self.address, self.workers)
        encode = ray.remote(_encode_in).options(
            name="encode_batch",
            max_retries=ATTEMPTS * 10,
            num_cpus=1,
            num_gpus=self.gpus_per_worker,
        )
        folder = Path.cwd()
        running: list[Any] = []
        try:
            for batch in batches:
                if len(running) >= WAITING_PER_WORKER * self.workers:
                    done, running = ray.wait(running)
                    yield from ray.get(done)
                running.append(encode.remote(folder, batch))
            while running:
                done, running = ray.wait(running)
                yield from ray.get(done)
        finally:
            if started:
                ray.shutdown()


def _encode_in(folder: Path, batch: Batch) -> Written:
    """Encode a batch where relative paths are those of the parent."""
    os.chdir(folder)
    return encode_batch(batch)


def _connect(ray: Any, address: str | None, workers: int) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    if address is None:
        options |= {"num_cpus": workers, "include_dashboard": False}
    try:
        # None would be any cluster that was started on this machine and forgotten.
        ray.init(address=address or "local", **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(f"address={address}: no Ray cluster there: {error}") from None


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports its use unless told not to
    try:
        import ray  # noqa: PLC0415  optional
    except ImportError:
        raise InputError(
            "engine=ray needs Ray: run `pip install ray`, or use engine=processes"
        ) from None
    return ray
