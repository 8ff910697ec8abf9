#!/usr/bin/env python3
"""Makes the files of a release: zips for Lambda, lists of what is in them, checksums.

usage: release.py [--out FOLDER] [--binaries FOLDER] [--twice]

  FOLDER/x86_64/<function>.zip, FOLDER/arm64/<function>.zip
                     for `package_s3` of the Terraform module, with `prefix` for version and architecture
  FOLDER/sbom/<function>.cdx.json
                     what is linked into the function, in CycloneDX 1.5
  FOLDER/SHA256SUMS  the checksums of all of these: `sha256sum --check SHA256SUMS`

An architecture whose toolchain is missing is skipped, and the reason is printed. The same commit gives the
same bytes with the same toolchain: times come from SOURCE_DATE_EPOCH (the commit's time without it), and
the compiler is told to leave out this machine's paths.

  --out FOLDER       where the files go (target/release-files)
  --binaries FOLDER  packs FOLDER/<architecture>/<function>/bootstrap instead of compiling
  --twice            builds everything a second time in another folder, and compares the bytes
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile

TOP = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = ("admin", "ecr-events", "migrate", "oci-events", "oci-poll", "tag-parser")
TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
# What this makes beside SHA256SUMS.
MADE = (*TARGETS, "sbom")
# The oldest time that a zip can have.
ZIP_EPOCH = 315532800
# Names in the identifiers of SBOMs are below this one.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:chart-discovery:sbom")


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def output(*command, **options):
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=TOP, **options
    ).stdout


def epoch():
    """Returns the time that all files get."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or output("git", "log", "-1", "--format=%ct"))


def missing_toolchain(architecture):
    """Says why an architecture cannot be built here; None if it can."""
    if not shutil.which("cargo-lambda"):
        return "cargo-lambda is missing (pip install cargo-lambda)"
    target = TARGETS[architecture]
    folder = output("rustc", "--print", "target-libdir", "--target", target).strip()
    if not pathlib.Path(folder).is_dir():
        return f"Rust's target {target} is missing (rustup target add {target})"
    return None


def flags(target_folder):
    """Returns flags that keep this machine's paths out of the binaries."""
    home = pathlib.Path.home()
    cargo = os.environ.get("CARGO_HOME", home / ".cargo")
    sysroot = output("rustc", "--print", "sysroot").strip()
    # The last prefix that matches counts, so the longest ones come last.
    paths = {str(home): "/home", sysroot: "/rust", str(cargo): "/cargo", str(TOP): "/src",
             str(target_folder): "/target"}  # fmt: skip
    rust = [f"--remap-path-prefix={path}={name}" for path, name in paths.items()]
    c = [f"-ffile-prefix-map={path}={name}" for path, name in paths.items()]
    return " ".join(rust), " ".join(c)


def build(architecture, target_folder):
    """Compiles all functions, and returns the folder with their binaries."""
    rust, c = flags(target_folder)
    before = os.environ.get("RUSTFLAGS")
    environment = {
        **os.environ,
        "RUSTFLAGS": f"{before} {rust}" if before else rust,
        "CFLAGS": f"{os.environ.get('CFLAGS', '')} {c}".strip(),
        "CARGO_TARGET_DIR": str(target_folder),
        "CARGO_INCREMENTAL": "0",
        "SOURCE_DATE_EPOCH": str(epoch()),
    }
    binaries = target_folder / "lambda" / architecture
    packages = [word for function in FUNCTIONS for word in ("--package", function)]
    command = ["cargo", "lambda", "build", "--release", "--locked", "--target",
               TARGETS[architecture], "--lambda-dir", str(binaries), *packages]  # fmt: skip
    subprocess.run(command, check=True, cwd=TOP, env=environment)
    return binaries


def pack(binary, zip_path, at):
    """Writes a zip with one program, whose bytes depend on the program and the time alone."""
    entry = zipfile.ZipInfo("bootstrap", time.gmtime(max(at, ZIP_EPOCH))[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, on every machine
    entry.external_attr = 0o100755 << 16
    with zipfile.ZipFile(zip_path, "w") as packed:
        packed.writestr(entry, binary.read_bytes(), compresslevel=9)


def pack_all(architecture, binaries, out, at):
    folder = out / architecture
    folder.mkdir(parents=True, exist_ok=True)
    for function in FUNCTIONS:
        pack(binaries / function / "bootstrap", folder / f"{function}.zip", at)
        size = (folder / f"{function}.zip").stat().st_size
        say(f"{architecture}/{function}.zip: {size / 1e6:.1f} MB")


class Crates:
    """The crates of the workspace and everything that they need, as Cargo.lock has it."""

    def __init__(self, target):
        command = ["cargo", "metadata", "--locked", "--format-version", "1"]
        metadata = json.loads(output(*command, "--filter-platform", target))
        self.packages = {package["id"]: package for package in metadata["packages"]}
        self.nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
        self.checksums = read_checksums()

    def root(self, name):
        found = [one for one in self.packages.values() if one["name"] == name and not one["source"]]
        return found[0]["id"]

    def needs(self, crate):
        """Lists the crates that are compiled into one: neither for tests nor for its build script."""
        return sorted(
            need["pkg"]
            for need in self.nodes[crate]["deps"]
            if any(kind["kind"] is None for kind in need["dep_kinds"])
        )

    def reachable(self, root):
        found, waiting = set(), [root]
        while waiting:
            crate = waiting.pop()
            if crate not in found:
                found.add(crate)
                waiting.extend(self.needs(crate))
        return found

    def url(self, crate):
        package = self.packages[crate]
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(self, crate, kind="library"):
        package = self.packages[crate]
        shown = {
            "type": kind,
            "bom-ref": self.url(crate),
            "name": package["name"],
            "version": package["version"],
            "purl": self.url(crate),
        }
        if package["license"]:
            # Older crates write a slash for OR.
            shown["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        checksum = self.checksums.get((package["name"], package["version"]))
        if checksum:
            shown["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if package["repository"]:
            shown["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return shown


def read_checksums():
    """Reads the checksums of the crates' archives from Cargo.lock."""
    found = re.findall(
        r'^name = "([^"]+)"\nversion = "([^"]+)"\n(?:source = "[^"]+"\n)?checksum = "(\w+)"',
        (TOP / "Cargo.lock").read_text(),
        re.M,
    )
    return {(name, version): checksum for name, version, checksum in found}


def sbom(crates, function, at):
    """Lists what is linked into a function."""
    root = crates.root(function)
    linked = crates.reachable(root)
    by_url = sorted(linked, key=crates.url)
    content = {
        "components": [crates.component(crate) for crate in by_url if crate != root],
        "dependencies": [
            {"ref": crates.url(crate), "dependsOn": [crates.url(need) for need in crates.needs(crate)]}
            for crate in by_url
        ],
    }
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, f'{function} {at} {digest}')}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
            "component": crates.component(root, "application"),
        },
        **content,
    }


def write_sboms(out, at):
    crates = Crates(TARGETS["x86_64"])
    folder = out / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    for function in FUNCTIONS:
        text = json.dumps(sbom(crates, function, at), indent=1, sort_keys=True)
        (folder / f"{function}.cdx.json").write_text(text + "\n")
    say(f"sbom: {len(FUNCTIONS)} lists")


def clear(out):
    """Deletes what an earlier run made, and nothing else: the folder may be anything."""
    for name in MADE:
        shutil.rmtree(out / name, ignore_errors=True)
    (out / "SHA256SUMS").unlink(missing_ok=True)


def sums(out):
    """Returns the checksums of all files that were made, as sha256sum prints them."""
    made = [path for name in MADE for path in (out / name).rglob("*")]
    files = sorted(path for path in made if path.is_file())
    digest = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()  # noqa: E731
    return "".join(f"{digest(path)}  {path.relative_to(out)}\n" for path in files)


def make(out, given, target_folder):
    """Makes all files. Returns the architectures that were skipped."""
    at = epoch()
    clear(out)
    write_sboms(out, at)
    skipped = []
    for architecture in TARGETS:
        if given:
            binaries = given / architecture
            reason = None if binaries.is_dir() else f"there is no {binaries}"
        else:
            reason = missing_toolchain(architecture)
            binaries = build(architecture, target_folder) if reason is None else None
        if reason:
            say(f"{architecture}: skipped, {reason}")
            skipped.append(architecture)
        else:
            pack_all(architecture, binaries, out, at)
    (out / "SHA256SUMS").write_text(sums(out))
    return skipped


def main(words):
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--out", type=pathlib.Path, default=TOP / "target/release-files")
    parser.add_argument("--binaries", type=pathlib.Path)
    parser.add_argument("--twice", action="store_true")
    options = parser.parse_args(words)
    if options.help:
        print(__doc__)
        return 0
    skipped = make(options.out, options.binaries, TOP / "target/release-build")
    if options.twice:
        with tempfile.TemporaryDirectory(dir=TOP / "target") as folder:
            again = pathlib.Path(folder)
            make(again / "files", options.binaries, again / "build")
            if sums(again / "files") != sums(options.out):
                sys.exit("the second run gave other bytes: compare SHA256SUMS")
        say("the second run gave the same bytes")
    print((options.out / "SHA256SUMS").read_text(), end="")
    if len(skipped) == len(TARGETS):
        say("no zips were made: both toolchains are missing")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
