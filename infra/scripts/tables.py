#!/usr/bin/env python3
"""Writes the tables of variables and outputs into the README of each module and example.

usage: tables.py [--check]

The tables stand between `<!-- tables -->` and `<!-- end of tables -->`. With --check it writes nothing,
and fails if a README differs.
"""

import pathlib
import re
import sys

START, END = "<!-- tables -->", "<!-- end of tables -->"
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.S | re.M)


def argument(body, name):
    """Returns the first line of an argument, such as `object({`; None without the argument."""
    found = re.search(rf"^  {name}\s+= (.*)$", body, re.M)
    return found[1].strip() if found else None


def description(body):
    text = argument(body, "description") or '""'
    return text[1:-1].replace('\\"', '"').replace("|", "\\|")


def default(body):
    text = argument(body, "default")
    if text is None:
        return "required"
    return "`{…}`" if text.endswith("{") else f"`{text}`"


def kind(body):
    return re.sub(r"\(.*", "", argument(body, "type") or "any")


def blocks(module, wanted):
    found = []
    for file in sorted(module.glob("*.tf")):
        for block in BLOCK.finditer(file.read_text()):
            if block[1] == wanted:
                found.append((block[2], block[3]))
    return found


def tables(module):
    variables = [
        f"| `{name}` | {kind(body)} | {default(body)} | {description(body)} |"
        for name, body in blocks(module, "variable")
    ]
    outputs = [f"| `{name}` | {description(body)} |" for name, body in blocks(module, "output")]
    head = ["## All variables", "", "| variable | type | default | meaning |", "|---|---|---|---|"]
    middle = ["", "## All outputs", "", "| output | meaning |", "|---|---|"]
    return "\n".join([*head, *variables, *middle, *outputs])


def main(words):
    infra = pathlib.Path(__file__).resolve().parents[1]
    modules = {file.parent for file in infra.rglob("*.tf") if ".terraform" not in file.parts}
    differing = []
    for module in sorted(modules):
        readme = module / "README.md"
        text = readme.read_text()
        before, rest = text.split(START)
        _, after = rest.split(END)
        new = f"{before}{START}\n{tables(module)}\n{END}{after}"
        if new != text:
            differing.append(str(readme.relative_to(infra)))
            if words != ["--check"]:
                readme.write_text(new)
    if words == ["--check"] and differing:
        sys.exit(f"run infra/scripts/tables.py: {', '.join(differing)}")


if __name__ == "__main__":
    main(sys.argv[1:]) if sys.argv[1:] in ([], ["--check"]) else sys.exit(__doc__)
