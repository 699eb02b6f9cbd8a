"""What takes long to make: the few things that were used last are kept."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """Things that are made once; of those, the ones that were used last.

    Whoever asks for one that is being made waits for it.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, Future[Made]] = OrderedDict()

    def find(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made for ``key``, or make it; an error is raised and not kept."""
        with self._lock:
            future = self._kept.get(key)
            if is_new := future is None:
                future = self._kept[key] = Future()
            self._kept.move_to_end(key)
            if len(self._kept) > self.most:
                self._kept.popitem(last=False)
        if is_new:
            self._fill(key, future, make)
        return future.result()

    def _fill(self, key: Hashable, future: Future[Made], make: Callable[[], Made]) -> None:
        try:
            future.set_result(make())
        except BaseException as error:
            with self._lock:
                if self._kept.get(key) is future:
                    del self._kept[key]
            future.set_exception(error)
