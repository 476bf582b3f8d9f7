"""Searches the first seed for planted bugs, and writes down what it found: in ``found.py`` and in the document.

    python -m tests.simulation.planted.search [NAME ...]

Without names, all those that are not written down yet.
"""

import sys
from pathlib import Path

from tests.simulation.planted.bug import SEEDS_MAX, search
from tests.simulation.planted.catalogue import PLANTED
from tests.simulation.planted.found import FOUND

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[2] / "docs" / "simulation.md"
BEGIN, END = "<!-- planted: written by tests/simulation/planted/search.py -->\n", "<!-- /planted -->\n"


def table(found):
    """Return the document's table: a row for each bug, by rule."""
    rows = ["| rule | planted bug | what goes wrong | seeds | noticed by |", "|---|---|---|---|---|"]
    for name, bug in sorted(PLANTED.items(), key=lambda item: (item[1].rule, item[0])):
        seed, rule = found.get(name, ("none", "nobody"))
        rows.append(f"| {bug.rule} | {name} | {bug.why} | {seed} | {rule} |")
    return "\n".join(rows) + "\n"


def write(found):
    """Write the results down."""
    source = HERE / "found.py"
    head = source.read_text(encoding="utf-8").partition("FOUND")[0]
    rows = "".join(f'    "{name}": ({found[name][0]}, "{found[name][1]}"),\n' for name in PLANTED if name in found)
    source.write_text(f"{head}FOUND: dict[str, tuple[int, str]] = {{\n{rows}}}\n", encoding="utf-8")
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}", encoding="utf-8")


def main(names):
    found = dict(FOUND)
    for name in names or [name for name in PLANTED if name not in found]:
        catch = search(PLANTED[name], range(1, SEEDS_MAX + 1))
        if catch is None:
            found.pop(name, None)
            print(f"{name}: not noticed within {SEEDS_MAX} seeds")
        else:
            found[name] = (catch.seed, catch.rule)
            print(f"{name}: seed {catch.seed}, {catch.what}")
        write(found)


if __name__ == "__main__":
    main(sys.argv[1:])
