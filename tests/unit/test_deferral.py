"""Deferred imports: what a library takes from a module that it may never need."""

import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

from shoal.worker.runtime.deferral import deferring, import_modules

SLOW = """
class Shape:
    sides = 4

def double(value):
    return 2 * value

double.unit = "pixels"
"""
LIBRARY = """
import slow_part
from slow_part import Shape, double

class Square(Shape):
    pass

def use(value):
    return double(value)
"""


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """A library, a module that it imports first, and one that has parts."""
    for name, text in {
        "slow_part": SLOW,
        "library": LIBRARY.replace("class Square(Shape):\n    pass\n", ""),
        "inheriting": LIBRARY,
        "of_a_package": "from slow_package.part import value\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "slow_package").mkdir()
    (tmp_path / "slow_package" / "__init__.py").touch()
    (tmp_path / "slow_package" / "part.py").write_text("value = 7\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("slow_part", "library", "inheriting", "of_a_package", "slow_package"):
        sys.modules.pop(name, None)


def test_a_deferred_module_is_imported_when_what_came_from_it_is_called(modules):
    import_modules(["library"], "slow_part")
    library = sys.modules["library"]
    assert "slow_part" not in sys.modules
    assert library.use(21) == 42
    assert isinstance(sys.modules["slow_part"], ModuleType)
    assert library.double.unit == "pixels"


def test_whoever_imports_a_deferred_module_later_gets_the_real_one(modules):
    import_modules(["library"], "slow_part")
    assert import_module("slow_part").Shape.sides == 4


def test_a_class_that_is_inherited_from_is_the_real_one(modules):
    import_modules(["inheriting"], "slow_part")
    assert sys.modules["inheriting"].Square.sides == 4


def test_a_library_that_needs_parts_of_the_module_gets_all_of_it(modules):
    import_modules(["of_a_package"], "slow_package")
    assert sys.modules["of_a_package"].value == 7


def test_a_module_that_was_there_before_stays(modules):
    slow_part = import_module("slow_part")
    with deferring("slow_part"):
        assert sys.modules["slow_part"] is slow_part
    assert sys.modules["slow_part"] is slow_part


SCIKIT_LEARN = """
import sys
from shoal.worker.app import CALLBACK_MODULES, DEFERRED
from shoal.worker.runtime.deferral import import_modules
import_modules(CALLBACK_MODULES, DEFERRED)
print(DEFERRED in sys.modules)
import sklearn.utils.fixes, numpy, scipy.stats
print(sklearn.utils.fixes._mode(numpy.array([3, 1, 3])).mode)
from sklearn.metrics._ranking import rankdata
print(*rankdata([30, 10, 20]), scipy.stats.norm.cdf(0))
"""


def test_what_fits_does_without_statistics_until_they_are_asked_for():
    done = subprocess.run(
        [sys.executable, "-c", SCIKIT_LEARN], capture_output=True, check=True, text=True
    )
    assert done.stdout.splitlines() == ["False", "[3]", "3.0 1.0 2.0 0.5"]
