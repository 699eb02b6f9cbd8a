"""Deferred imports: what another library imports in its first line, and hardly ever needs."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any


class _Deferred:
    """Stands for what a module has, which is imported when this is used."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def _load(self) -> Any:
        return getattr(import_module(self._module), self._name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self._load()(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        if name in {"_module", "_name"}:  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._load(), name)

    def __mro_entries__(self, _bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._load(),)


class _DeferredModule(ModuleType):
    """Stands for a module while others are imported that import it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of the import itself, which asks for some
            raise AttributeError(name)
        return _Deferred(self.__name__, name)


@contextmanager
def deferring(*names: str) -> Iterator[None]:
    """Let no module be imported in this context whose name is one of ``names``.

    What modules take from it in this context imports it when it is called, inherited from or asked
    for a name. Afterwards, whoever imports it gets the real one.

    Args:
        names: Full names of modules. Those that are imported already stay.
    """
    stand_ins = {name: _DeferredModule(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def import_modules(names: Iterable[str], deferred: str) -> None:
    """Import modules, one of whose own imports is deferred if they can do without it."""
    names = list(names)
    with suppress(Exception), deferring(deferred):  # such as a package whose parts they import
        for name in names:
            import_module(name)
    for name in names:
        import_module(name)
