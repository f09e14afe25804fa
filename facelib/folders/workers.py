"""Worker processes that may die or hang: the item at fault is named, and everything else goes on.

The pools of the standard library lose the whole run when one process dies, and wait for ever when one hangs. Here
every worker has its own pipe, so it is always known which items were in its hands.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from ..errors import FaceLibError

Item = TypeVar("Item")

START_SECONDS = 600  # importing torch from a busy network disk can take minutes
AHEAD = 2  # lists in a worker's hands: one at work, one so that it never waits for the next


@dataclass(frozen=True)
class Lost:
    """What became of an item that took its worker along, twice: reason "worker died" or "timed out"."""

    reason: str
    detail: str


def work(
    items: Iterable[Item],
    setup: Callable[[], Callable[[list[Item]], Sequence[Any]]],
    *,
    workers: int = 1,
    batch: int = 1,
    seconds: float = 300,
) -> Iterator[tuple[Item, Any]]:
    """Put every item through a handler in one of several processes, in no particular order.

    Items are drawn only as workers become free, so their number does not matter to the memory. When a worker dies
    or exceeds its time, the list it was working on is tried once more, item by item; who fails again is lost.

    Parameters
    ----------
    items : iterable
    setup : picklable callable
        Called once in each process; returns the handler, which takes a list of items and returns as many results.
        A FaceLibError that it raises ends the run.
    workers : int
        Processes.
    batch : int
        Items that a handler gets at once.
    seconds : float
        Time limit for one item.

    Yields
    ------
    (item, result), or (item, Lost)
    """
    crew: _Crew[Item] = _Crew(iter(items), setup, workers, batch, seconds)
    try:
        yield from crew.run()
    finally:
        crew.dismiss()


@dataclass
class _Task(Generic[Item]):
    items: list[Item]
    suspect: bool = False


@dataclass(eq=False)
class _Worker(Generic[Item]):
    process: Any
    connection: Connection
    tasks: deque[_Task[Item]] = field(default_factory=deque)  # in the order in which they were sent
    since: float = field(default_factory=time.monotonic)  # when it began the first of them, or started
    ready: bool = False

    def limit(self, seconds: float) -> float:
        """Time at which it has had enough; infinite while there is nothing to do."""
        if not self.ready:
            return self.since + START_SECONDS
        return self.since + seconds * len(self.tasks[0].items) if self.tasks else float("inf")


class _Crew(Generic[Item]):
    def __init__(
        self, items: Iterator[Item], setup: Callable[[], Any], workers: int, batch: int, seconds: float
    ) -> None:
        self.items, self.setup, self.batch, self.seconds = items, setup, batch, seconds
        self.slots: list[_Worker[Item] | None] = [None] * workers
        self.again: deque[_Task[Item]] = deque()
        self.failed_starts = 0

    def run(self) -> Iterator[tuple[Item, Any]]:
        while True:
            self._hand_out()
            busy = {worker.connection: worker for worker in self.slots if worker and worker.tasks}
            if not busy:
                return
            rest = min(worker.limit(self.seconds) for worker in busy.values()) - time.monotonic()
            for connection in wait(list(busy), timeout=max(rest, 0)):
                yield from self._listen(busy[connection])  # type: ignore[index]
            for worker in busy.values():
                if worker in self.slots and worker.limit(self.seconds) < time.monotonic():
                    worker.process.kill()
                    yield from self._bury(worker, "timed out")

    def _hand_out(self) -> None:
        """Fill every worker's hands, first one list each; start workers only when there is something to do."""
        for depth, slot in itertools.product(range(1, AHEAD + 1), range(len(self.slots))):
            worker = self.slots[slot]
            if worker is not None and len(worker.tasks) >= depth:
                continue
            task = self._next()
            if task is None:
                return
            if worker is None:
                worker = self.slots[slot] = self._start()
            if not worker.tasks and worker.ready:
                worker.since = time.monotonic()
            worker.tasks.append(task)
            with suppress(OSError):  # it has just died, which the next wait will notice
                worker.connection.send(task.items)

    def _next(self) -> _Task[Item] | None:
        if self.again:
            return self.again.popleft()
        items = list(itertools.islice(self.items, self.batch))
        return _Task(items) if items else None

    def _start(self) -> _Worker[Item]:
        context = multiprocessing.get_context("spawn")  # forking a process that holds torch's threads is unsafe
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.setup), daemon=True)
        with _interrupts_ignored():
            process.start()
        theirs.close()  # so that its death closes the pipe
        return _Worker(process, ours)

    def _listen(self, worker: _Worker[Item]) -> Iterator[tuple[Item, Any]]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(worker, "worker died")
            return
        worker.since = time.monotonic()
        if not worker.ready:
            if isinstance(message, FaceLibError):
                raise message
            worker.ready, self.failed_starts = True, 0
            return
        yield from zip(worker.tasks.popleft().items, message, strict=True)

    def _bury(self, worker: _Worker[Item], reason: str) -> Iterator[tuple[Item, Any]]:
        self.slots[self.slots.index(worker)] = None
        worker.connection.close()
        worker.process.join(5)
        if not worker.ready:
            self.failed_starts += 1
            if self.failed_starts == 3:
                raise FaceLibError(
                    f"worker processes end while they start (exit code {worker.process.exitcode}): fewer workers need"
                    ' less memory; a script that starts them must do so under `if __name__ == "__main__":`'
                )
        elif worker.tasks:
            task = worker.tasks.popleft()
            if task.suspect:
                yield task.items[0], Lost(reason, self._obituary(worker, reason))
            else:
                self.again.extend(_Task([item], suspect=True) for item in task.items)
        self.again.extend(worker.tasks)

    def _obituary(self, worker: _Worker[Item], reason: str) -> str:
        if reason == "timed out":
            return f"not done after {self.seconds:g} s"
        return f"the process working on it ended with exit code {worker.process.exitcode}, twice (-9: out of memory)"

    def dismiss(self) -> None:
        """End all workers; each may finish the list at hand."""
        crew = [worker for worker in self.slots if worker]
        for worker in crew:
            worker.connection.close()
        try:
            for worker in crew:
                worker.process.join(10 if worker.ready else 0)
        finally:
            for worker in crew:
                worker.process.kill()


def _serve(connection: Connection, setup: Callable[[], Callable[[list[Any]], Sequence[Any]]]) -> None:
    """A worker's life: say that it is ready, then answer each list, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    try:
        handler = setup()
    except FaceLibError as error:
        connection.send(error)
        return
    try:
        connection.send(None)
        while True:
            items = connection.recv()
            results = handler(items)
            connection.send(results)
    except (EOFError, ConnectionError):
        return


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process started meanwhile ignores Ctrl-C from its first instruction on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
