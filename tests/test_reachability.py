"""Nothing is built, tested and never wired: every public part is reached from an entry point."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"
ENTRY_POINTS = ("app.__main__",)
BY_NAME = {
    # Imported by name: strategies by the catalogue or a profile, migrations by Alembic.
    "app.simulation.restless",
    "app.strategies.breakout",
    "app.strategies.funding_carry",
    "app.strategies.mean_reversion",
    "app.strategies.trend",
    "app.storage.migrations.env",
    "app.storage.migrations.versions.0001_journal",
    "app.storage.migrations.versions.0002_lease",
}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules():
    return {module_of(path): path for path in APP.rglob("*.py")}


def imports_of(path, known):
    """Return the modules of ours that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    parents = {name.rpartition(".")[0] for name in found}
    return {name for name in found | parents if name in known}


def test_every_module_is_reached_from_the_command_line():
    known = modules()
    reached, todo = set(), list(ENTRY_POINTS)
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += imports_of(known[name], known)
    unreached = {name for name in known if name not in reached | BY_NAME}
    assert {name for name in unreached if known[name].stat().st_size} == set()


def test_every_built_in_strategy_is_in_the_catalogue():
    from app.strategies import BUILT_IN

    on_disk = {name for name in BY_NAME if name.startswith("app.strategies.")}
    assert {path.rpartition(".")[0] for path in BUILT_IN.values()} == on_disk


def test_every_public_name_of_a_package_is_used_outside_it_or_by_a_test():
    """What ``__all__`` offers and nobody takes is dead."""
    everywhere = {
        path: path.read_text(encoding="utf-8") for folder in (APP, ROOT / "tests") for path in folder.rglob("*.py")
    }

    def is_used(name, package):
        word = re.compile(rf"\b{name}\b")
        return any(word.search(text) for other, text in everywhere.items() if package not in other.parents)

    offered = [(name, path) for path in APP.rglob("__init__.py") for name in public_names(path)]
    assert [f"{module_of(path)}.{name}" for name, path in offered if not is_used(name, path.parent)] == []


def public_names(path):
    return names_offered_by(ast.parse(path.read_text(encoding="utf-8")))


def names_offered_by(tree):
    for node in tree.body:
        if is_offer(node):
            return [element.value for element in node.value.elts]
    return []


def is_offer(node):
    return isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"


NAMED_ELSEWHERE = {
    "Restless",  # by dotted path, in a profile
    "aggressor",  # of a trade: a strategy may ask
    "cache_ok",  # SQLAlchemy
    "cut_ns",  # of a finding, for whoever writes a tool around it
    "deposited",  # one of the four amounts of a ledger
    "entry_price",  # of a round trip, for people
    "exit_price",  # likewise
    "handle_builder_fee_approval",  # ccxt
    "handle_order",  # ccxt
    "impl",  # SQLAlchemy
    "initialize_client",  # ccxt
    "model_config",  # pydantic
    "instance_type",  # dependency-injector
    "is_unified_enabled",  # ccxt
    "process_result_value",  # SQLAlchemy
    "set_ref",  # ccxt
    "started",  # in the health file
    "tasks",  # likewise
    "_timer_cancelled_count",  # asyncio
}
"""What others call, or read."""


def test_every_name_is_used():
    """A constant, function, class, field or method that nothing else in the application names is dead.

    That its namesake in another module is used does not count.
    """
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules().items()}
    sources = {(name, offered): source for name, tree in trees.items() for offered, source in offers_of(tree)}
    told = set(NAMED_ELSEWHERE).union(*map(told_in, trees.values()))
    imported = {origin_of(each, sources) for tree in trees.values() for each in imported_in(tree)}
    dead = []
    for module, tree in trees.items():
        if "migrations" in module or module.endswith(".models"):
            continue  # Alembic and pydantic read them
        loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        for body in (node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef)):
            names = {name for name in made_by(body) if not name.startswith("__")} - told - loaded
            dead += [f"{module}: {name}" for name in names if (module, name) not in imported]
    assert sorted(dead) == []


def told_in(tree):
    """Return what attributes and strings name: whose it is, they do not say."""
    offered = {id(node) for offer in tree.body if is_offer(offer) for node in ast.walk(offer)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in offered:
            found.add(node.value.rpartition(".")[2])  # dotted paths and names for getattr
    return found


def imported_in(tree):
    """Return modules and the names that are taken from them; a name that is only offered on is not used by that."""
    offered = set(names_offered_by(tree))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {(node.module, alias.name) for node in imports for alias in node.names if alias.name not in offered}


def offers_of(tree):
    """Return the names that a package offers, each with the module that it takes it from."""
    offered = set(names_offered_by(tree))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return [(alias.name, node.module) for node in imports for alias in node.names if alias.name in offered]


def origin_of(imported, sources):
    """Follow an import through the packages that offer the name, to the module that made it."""
    while imported in sources:
        imported = (sources[imported], imported[1])
    return imported


def made_by(body):
    for node in body.body:
        if isinstance(node, ast.AnnAssign):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.ClassDef) or (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and not any(isinstance(how, ast.Call) for how in node.decorator_list)  # typer's commands
        ):
            yield node.name


def test_packages_offer_sorted_names_and_hold_nothing_else():
    for path in APP.rglob("__init__.py"):
        names = public_names(path)
        assert names == sorted(names, key=lambda name: (not name.isupper(), name)), path
        kinds = {type(node) for node in ast.parse(path.read_text(encoding="utf-8")).body}
        docstring_or_code = kinds - {ast.Import, ast.ImportFrom, ast.Assign}
        assert docstring_or_code <= {ast.Expr}, path
