"""Writes the schema of every type of the AWS provider for Terraform, one JSON file per type.

usage: schema.py WHEEL FOLDER

WHEEL is the package `cdktn-provider-aws` of PyPI. It is generated from the schema of the real
provider, and the JavaScript in it names each argument, its type, and whether it is required,
optional or computed. FOLDER gets `resource.aws_….json`, `data.aws_….json` and `version`, the version
of the real provider.

A block is {"attributes": {name: {"type", "required", "optional", "computed"}}, "blocks": {name:
{"nesting", "min", "max", "block"}}}. Types are those of Terraform's plugin protocol.
"""

import io
import json
import pathlib
import re
import sys
import tarfile
import zipfile

CLASS = re.compile(r"^class (\w+) extends [\w.]+ \{$(.*?)^\}$", re.S | re.M)
FUNCTION = re.compile(r"^function (\w+)ToHclTerraform\(struct\) \{$(.*?)^\}$", re.S | re.M)
TABLE = re.compile(r"^    synthesizeHclAttributes\(\) \{$(.*?)^    \}$", re.S | re.M)
MEMBER = re.compile(
    r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n"
    r"(.*?)(?=^    // \w+ - |\Z)",
    re.S | re.M,
)
ARGUMENT = re.compile(
    r"^ {8,12}(\w+): \{\n\s+value: [^\n]*\n\s+isBlock: (true|false),\n\s+type: \"(\w+)\",\n"
    r"\s+storageClassType: \"(\w+)\",",
    re.M,
)
ROOT = re.compile(r"^class (\w+) extends cdktn\.Terraform(?:Resource|DataSource) \{", re.M)
TYPE_NAME = re.compile(r'^    static tfResourceType = "(aws_\w+)"', re.M)
PROVIDER_VERSION = re.compile(r"providerVersion: '([0-9.]+)'")
PRIMITIVES = {"string": "string", "boolean": "bool", "number": "number", "any": "dynamic"}
# How a computed attribute is read tells its type.
READ_AS = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
}


class Source:
    """One file of the package: the module of one type."""

    def __init__(self, text):
        self.classes = {match[1]: match[2] for match in CLASS.finditer(text)}
        self.functions = {match[1].lower(): match[2] for match in FUNCTION.finditer(text)}
        self.root = ROOT.search(text)[1]
        self.type_name = TYPE_NAME.search(text)[1]
        self.version = PROVIDER_VERSION.search(text)[1]

    def schema(self):
        body = self.classes[self.root]
        return self.block(body, TABLE.search(body)[1])

    def block(self, body, table):
        arguments = {match[1]: match.groups()[1:] for match in ARGUMENT.finditer(table)}
        attributes, blocks = {}, {}
        for name, computed, optional, required, code in MEMBER.findall(body):
            flags = {"computed": computed, "optional": optional, "required": required}
            flags = {flag: text == "true" for flag, text in flags.items()}
            if name not in arguments:
                attributes[name] = {"type": self.computed_type(code), **flags}
                continue
            is_block, kind, stored_as = arguments[name]
            primitive = primitive_type(kind, stored_as)
            if primitive:
                attributes[name] = {"type": primitive, **flags}
            else:
                blocks[name] = self.nested(kind, stored_as, code, flags["required"])
        return {"attributes": attributes, "blocks": blocks}

    def computed_type(self, code):
        """Returns the type of a computed attribute. A list of objects has a class for its items."""
        found = re.search(r' = new (\w+)(List|Map)\(this, "\w+"(?:, (true|false))?\)', code)
        items = self.classes.get(f"{found[1]}OutputReference") if found else None
        if items is None:
            return read_type(code)
        members = {name: self.computed_type(inner) for name, *_, inner in MEMBER.findall(items)}
        outer = "map" if found[2] == "Map" else "set" if found[3] == "true" else "list"
        return [outer, ["object", members]]

    def nested(self, kind, stored_as, code, required):
        name = stored_as if kind == "struct" else re.sub(r"(List|Set|Map)$", "", stored_as)
        table = self.functions[name.lower()]
        inner = self.block(self.classes[f"{name}OutputReference"], table)
        # A block that may be repeated is read as a list. Any other one is read directly.
        repeats = re.search(r" = new \w+(List|Map)\(this, ", code)
        return {
            "nesting": "single" if kind == "struct" else kind,
            "min": 1 if required else 0,
            "max": 0 if repeats else 1,
            "block": inner,
        }


def primitive_type(kind, stored_as):
    """Returns the type of an argument that is no block: `stringMapList` is a list of maps."""
    if kind == "simple":
        return PRIMITIVES[stored_as]
    inner = re.sub(r"(List|Set|Map)$", "", stored_as)
    if inner in PRIMITIVES:
        return [kind, PRIMITIVES[inner]]
    found = re.fullmatch(r"(\w+?)(List|Set|Map)", inner)
    if found and found[1] in PRIMITIVES:
        return [kind, [found[2].lower(), PRIMITIVES[found[1]]]]
    return None


def read_type(code):
    """Returns the type of a computed attribute."""
    found = re.search(r"get(\w+?)Attribute\(", code)
    if "cdktn.Fn.tolist(" in code and found:
        return ["set", READ_AS[found[1]][1]]
    if found:
        return READ_AS.get(found[1], "dynamic")
    found = re.search(r"new cdktn\.(\w+)\(this", code)
    return READ_AS.get(found[1], "dynamic") if found else "dynamic"


def sources(wheel):
    """Yields the kind and the JavaScript of each type in the package."""
    with zipfile.ZipFile(wheel) as files:
        archive = next(name for name in files.namelist() if name.endswith(".jsii.tgz"))
        packed = io.BytesIO(files.read(archive))
    with tarfile.open(fileobj=packed) as package:
        for member in package:
            found = re.fullmatch(r"package/lib/(data-aws-)?([a-z0-9-]+)/index\.js", member.name)
            if found:
                text = package.extractfile(member).read().decode()
                # The largest types are spread over several files. No module of ours needs them.
                if ROOT.search(text) and "index-structs" not in text:
                    yield "data" if found[1] else "resource", text


def main(wheel, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    version = None
    for kind, text in sources(wheel):
        source = Source(text)
        version = source.version
        schema = json.dumps(source.schema(), separators=(",", ":"))
        (folder / f"{kind}.{source.type_name}.json").write_text(schema)
    (folder / "version").write_text(version)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
