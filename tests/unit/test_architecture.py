"""The shape of the source: no circles, few rooms on each floor, and doors that are used."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("producer", "worker", "shared")
PACKAGES = ["shoal", *(f"shoal.{part}" for part in PARTS), "shoal.producer.web"]
LEAST_USED = 0.75  # of public functions and classes
# A decorator that registers what it decorates: a framework calls it.
REGISTERS = ("app", "click", "main", "router", "connect")


@cache
def make_graph() -> grimp.ImportGraph:
    # Imports for type checkers alone count, too.
    return grimp.build_graph("shoal", exclude_type_checking_imports=False)


def find_arrows(package: str) -> dict[str, set[str]]:
    """What each child of a package imports of its siblings."""
    graph, depth = make_graph(), package.count(".") + 2
    arrows = defaultdict[str, set[str]](set)
    for module in graph.find_descendants(package):
        for imported in graph.find_modules_directly_imported_by(module):
            child, other = (".".join(name.split(".")[:depth]) for name in (module, imported))
            if imported.startswith(f"{package}.") and child != other:
                arrows[child].add(other)
    return arrows


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """A way from a child back to itself; empty where there is none."""
    done: set[str] = set()

    def visit(child: str, way: list[str]) -> list[str]:
        if child in way:
            return [*way[way.index(child) :], child]
        if child in done:
            return []
        found = (visit(other, [*way, child]) for other in sorted(arrows.get(child, ())))
        circle = next(filter(None, found), [])
        done.add(child)
        return circle

    return next(filter(None, (visit(child, []) for child in sorted(arrows))), [])


def test_a_circle_is_found() -> None:
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}}) == []


def test_no_module_and_no_folder_imports_what_imports_it() -> None:
    packages = {module.rpartition(".")[0] for module in make_graph().modules if "." in module}
    assert len(packages) > 20
    for package in sorted(packages):
        assert find_circle(find_arrows(package)) == [], package


@pytest.mark.parametrize(("part", "most"), [("producer", 8), ("worker", 8), ("shared", 12)])
def test_a_part_shows_few_modules_beside_its_folders(part: str, most: int) -> None:
    modules = [path.name for path in (ROOT / part).glob("*.py") if not path.stem.startswith("__")]
    assert len(modules) <= most, modules


@pytest.mark.parametrize(
    ("package", "boxes", "arrows"),
    [
        ("shoal.producer", 17, 46),
        ("shoal.worker", 14, 21),
        ("shoal.shared", 19, 52),
        ("shoal.producer.web", 10, 22),
    ],
)
def test_a_part_can_be_drawn_on_one_page(package: str, boxes: int, arrows: int) -> None:
    found = find_arrows(package)
    assert len(found.keys() | set().union(*found.values())) <= boxes
    assert sum(map(len, found.values())) <= arrows


def find_sources() -> dict[str, Path]:
    """The files of the source, by module."""
    files = (path for part in PARTS for path in (ROOT / part).rglob("*.py"))
    names = ((path.relative_to(ROOT).with_suffix("").as_posix(), path) for path in files)
    return {f"shoal.{name.replace('/', '.')}": path for name, path in names}


def find_public(tree: ast.Module) -> Iterator[str]:
    """The names of a module's public functions and classes, but for those that are registered."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        decorators = " ".join(map(ast.unparse, node.decorator_list))
        if not node.name.startswith("_") and not any(word in decorators for word in REGISTERS):
            yield node.name


def find_used(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What a file uses of other modules: pairs of a module and a name."""
    modules: dict[str, str] = {}
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield node.module, name.name
                modules[name.asname or name.name] = f"{node.module}.{name.name}"
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield modules.get(node.value.id, ""), node.attr


def test_most_of_what_a_module_shows_is_used_elsewhere() -> None:
    sources = find_sources()
    others = (path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
    # One at a time: the garbage collector looks through all that are kept, again and again.
    trees = (ast.parse(path.read_text()) for path in (*sources.values(), *others))
    used = {pair for tree in trees for pair in find_used(tree)}
    shown = {
        (module, name)
        for module, path in sources.items()
        for name in find_public(ast.parse(path.read_text()))
    }
    unused = sorted(shown - used)
    assert len(shown) > 200
    assert 1 - len(unused) / len(shown) >= LEAST_USED, unused


def test_no_constant_of_one_name_and_value_stands_twice() -> None:
    places = defaultdict[tuple[str, str], list[str]](list)
    for module, path in find_sources().items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, ast.unparse(node.value)
                if name.isupper():
                    places[name, value].append(module)
    twice = {pair: modules for pair, modules in places.items() if len(modules) > 1}
    assert twice == {}


def find_sleeps(tree: ast.Module) -> Iterator[int]:
    """The lines on which a test sleeps."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}:
            yield node.lineno


def test_tests_wait_by_polling_with_a_deadline() -> None:
    tests = set((ROOT / "tests").rglob("test_*.py"))
    assert len(tests) > 80
    # A fault lasts as long as it is to last.
    for path in tests - set((ROOT / "tests" / "e2e" / "faults").iterdir()):
        assert list(find_sleeps(ast.parse(path.read_text()))) == [], path


def test_what_tests_share_has_one_place() -> None:
    places = defaultdict[str, list[str]](list)
    for path in (ROOT / "tests" / "support").glob("*.py"):
        for name in find_public(ast.parse(path.read_text())):
            places[name].append(path.name)
    assert {"Server", "Worker", "wait_until", "make_status"} <= places.keys()
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
