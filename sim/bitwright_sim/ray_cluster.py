"""Work on a Ray cluster: items where a core is free, results in order. Ray is imported here alone, and late."""

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from bitwright_core.errors import ToolError
from bitwright_core.extras import install
from bitwright_core.progress import Progress

LOCAL = "local"
RETRIES = 3  # of an item whose worker was lost
_ANSWER_SECONDS = 10

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers, and how many cores it has."""

    ray: Any
    cores: int

    def run(
        self,
        work: Callable[[_Item], _Result],
        items: Sequence[_Item],
        what: str,
        progress: Progress | None,
        *,
        sizes: Sequence[int] | None = None,
        each: Callable[[_Result], None] | None = None,
    ) -> list[_Result]:
        """`work` of each item, a core each, in the order of `items`; an item whose worker is lost goes to another.

        `sizes` say how much of `what` each item is, for the progress; `each` hears of every result as soon as it is
        there. Raises what `work` raises, and ToolError where the workers of an item are lost again and again.
        """
        sizes = [1] * len(items) if sizes is None else sizes
        remote = self.ray.remote(num_cpus=1, max_retries=RETRIES)(work)
        tasks = [remote.remote(item) for item in items]
        size_of = dict(zip(tasks, sizes, strict=True))
        done, left = 0, list(tasks)
        while left:
            if progress is not None:
                progress(what, done, sum(sizes))
            ready, left = self.ray.wait(left, num_returns=1, timeout=1)
            for result in self._results(ready):  # raises as soon as one failed
                if each is not None:
                    each(result)
            done += sum(size_of[task] for task in ready)
        if progress is not None:
            progress(what, sum(sizes), sum(sizes))
        found: list[_Result] = self._results(tasks)
        return found

    def share(self, value: Any) -> Any:
        """`value`, sent to the cluster once: what `fetch` takes in a worker, as a part of an item."""
        return self.ray.put(value)

    def _results(self, tasks: list[Any]) -> list[Any]:
        try:
            found: list[Any] = self.ray.get(tasks)
        except self.ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, Exception):
                raise error.cause from None
            raise
        except self.ray.exceptions.RayError as error:
            told = str(error).strip().splitlines()[0]
            raise ToolError(f"Ray gave up a task after {RETRIES + 1} workers were lost with it: {told}") from None
        return found


def fetch(shared: Any) -> Any:
    """In a worker: what `Cluster.share` sent."""
    import ray

    return ray.get(shared)


@contextmanager
def ray_cluster(address: str) -> Iterator[Cluster]:
    """The cluster at `address`, or one of this machine's own ("local"), which ends with the block.

    Raises ToolError where Ray is missing, or no cluster answers.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ToolError(f"--ray needs ray, which is not installed: {install('ray')}") from None
    mine = not ray.is_initialized()
    if mine:
        where: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {"address": address}
        _check_answers(address)
        try:
            ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            told = str(error).strip().splitlines()[0]
            raise ToolError(f"no Ray cluster at {address}: {told}") from None
    try:
        yield Cluster(ray, max(1, int(ray.cluster_resources().get("CPU", 1))))
    finally:
        if mine:
            ray.shutdown()


def _check_answers(address: str) -> None:
    """Raises ToolError if nobody listens at a plain HOST:PORT: Ray itself goes on trying for minutes."""
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ToolError(f"no Ray cluster at {address}: {error}") from None
