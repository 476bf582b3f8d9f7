"""The runbook names every reason that can hold trading back: whoever is woken by one finds what to do."""

import ast
import re
from importlib import import_module
from pathlib import Path

import app
from app.risk import RiskEngine
from app.settings.models import RiskSettings

ROOT = Path(app.__file__).parents[1]
ROW = re.compile(r"^\| `([\w<>:]+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
PASSED_ON = {"change.owner", "owner"}
"""The owner of a reason that was raised elsewhere: by a guard, by a record that is played, or by whoever calls."""


class Calls(ast.NodeVisitor):
    """Finds owner and code of each call of ``raise_reason`` in a module."""

    def __init__(self, module):
        self.names = dict(vars(module))
        self.found = set()

    def visit_ClassDef(self, node):
        outer, self.names = self.names, self.names | {"self": self.names[node.name]}
        self.generic_visit(node)
        self.names = outer

    def visit_FunctionDef(self, node):
        outer, self.names = self.names, dict(self.names)
        for each in ast.walk(node):
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
                self.names[each.targets[0].id] = each.value
        self.generic_visit(node)
        self.names = outer

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast names it

    def visit_Call(self, node):
        self.generic_visit(node)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        # The monitor passes its codes through a method of its own.
        owner = {"raise_reason": node.args[:1], "_restrict": [ast.parse("self.name", mode="eval").body]}.get(called)
        if not owner or ast.unparse(owner[0]) in PASSED_ON or len(node.args) < 2:
            return
        code = node.args[called == "raise_reason"]
        if not (isinstance(code, ast.Name) and code.id == "code" and code.id not in self.names):
            self.found.add(f"{self.text(owner[0])}:{self.text(code)}")

    def text(self, node):
        """Return a constant text; of one with names in it, what comes before the first."""
        match node:
            case ast.Constant() | str():
                return node if isinstance(node, str) else node.value
            case ast.Name():
                return self.text(self.names[node.id])
            case ast.Attribute():
                return getattr(self.names["self"], node.attr)
            case ast.BinOp():
                return self.text(node.left)
            case ast.JoinedStr():
                return self.text(node.values[0])
        raise TypeError(f"no text: {ast.dump(node)}")


def raised():
    """Return every reason, as ``owner:code``; a code with a symbol ends where the symbol would begin."""
    found = {f"risk:{name}" for name in RiskEngine(RiskSettings()).figures()} | {"risk:watch_failed"}
    for path in (ROOT / "app").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "raise_reason(" not in text or "ports" in path.parts or path.name == "trading_state.py":
            continue
        calls = Calls(import_module(".".join(path.relative_to(ROOT).with_suffix("").parts)))
        calls.visit(ast.parse(text))
        found |= calls.found
    return found


def test_the_table_has_every_reason_and_no_other():
    told = {re.sub(r"<.*", "", row[0]) for row in ROW.findall(RUNBOOK)}
    assert told == raised()


def test_the_table_says_which_are_latched():
    latched = {row[0] for row in ROW.findall(RUNBOOK) if row[3] == "yes"}
    assert latched == {
        "execution:unreadable_target:<symbol>",
        "operator:halt",
        "risk:drawdown",
        "execution:lost_orders",
        "execution:foreign_fee",
        "execution:overfill",
        "reconciler:position_adopted",
    }
