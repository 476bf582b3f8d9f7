"""What the documents say is true."""

import re
import tomllib
from pathlib import Path

import pytest

from app.lifecycle import ExitCode
from app.settings.profiles import profile_names

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_exit_codes_are_all_there():
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert told == {int(code) for code in ExitCode}


def test_the_profiles_are_all_there():
    assert all(f"`{name}`" in README for name in profile_names())


@pytest.mark.parametrize(
    "document", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda path: path.name
)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / link).exists(), link


def test_the_first_strategy_runs():
    namespace = {}
    exec(compile(PYTHON[0], "README.md", "exec"), namespace)  # noqa: S102 - our own README
    strategy = namespace["AboveAverage"]
    assert strategy.Params().period == 20


async def test_the_exchange_and_the_override_of_the_readme_work():
    namespace = {}
    for code in PYTHON[1:]:
        exec(compile(code, "README.md", "exec"), namespace)  # noqa: S102 - our own README
    assert await namespace["one_bot"](namespace["Deaf"])


def test_adrs_have_numbers_of_their_own():
    """And say it in their titles. Gaps are for decisions that are written down elsewhere at the same time."""
    paths = list((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(path.name[:4]) for path in paths]
    assert len(set(numbers)) == len(numbers)
    for path, number in zip(paths, numbers, strict=True):
        assert path.read_text(encoding="utf-8").startswith(f"# {number}. ")


@pytest.fixture
def contracts():
    """What the import linter keeps."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def test_of_every_part_it_is_said_whether_it_may_wire(contracts):
    parts = {path.stem for path in (ROOT / "app").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    told = {
        name.removeprefix("app.")
        for contract in contracts
        if "dependency_injector" in contract.get("forbidden_modules", ())
        for name in contract["source_modules"]
    }
    assert parts - told == {"__init__", "__main__", "container", "container_lifecycle"}


def test_the_layers_are_those_that_are_enforced(contracts):
    enforced = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = document.partition("## Who may import whom")[2].split("```")[1]
    told = [" ".join(layer.strip(" ()").split()) for layer in block.replace("\n", " ").split(">")]
    assert told == enforced


def test_the_diagram_of_the_pump_names_what_the_pump_calls():
    pump = (ROOT / "app" / "coordinators" / "runtime.py").read_text(encoding="utf-8").partition("def _pump")[2]
    diagram = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    called = re.findall(r"──▶ (\w+\.\w+)", diagram)
    assert len(called) == 5
    assert [name for name in called if f"context.{name}" not in pump] == []
