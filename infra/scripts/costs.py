#!/usr/bin/env python3
"""Writes the figures into docs/operate/costs.md.

usage: costs.py [--check]

What the code decides is read from the code: from the plan of the module (memory, timeouts, alarms,
metrics), and from the constants of `oci-poll`. Prices and what a registry does are assumptions, which
stand below and in the page. The figures stand between `<!-- costs -->` and `<!-- end of costs -->`. With
--check it writes nothing, and fails if the page differs. It needs `terraform`.
"""

import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "docs/operate/costs.md"
START, END = "<!-- costs -->", "<!-- end of costs -->"

# List prices of us-east-1 in US dollars, as assumed on 2026-11-25.
GB_SECOND = 0.0000166667
INVOCATION = 0.20 / 1e6
WRITE = 0.625 / 1e6
READ = 0.125 / 1e6
NAT_HOUR = 0.045
NAT_GB = 0.045
SENT_GB = 0.09
ALARM = 0.10
METRIC = 0.30
SQS_REQUEST = 0.40 / 1e6

# What a registry does, and how much there is to do.
ANSWER = 0.05  # seconds
REQUEST_KB, ANSWER_KB = 0.5, 1.5
TAGS = 10  # per repository
REST = 0.1  # seconds of a pass for everything else
# What a pass does to the cursor: it takes the lease and gives it back.
WRITES_OF_A_PASS = 2
READS_OF_A_MINUTE = 6
# Lambda reads a queue with five pollers, which ask for 20 s each.
POLLS_OF_A_QUEUE = 5 * 3 * 60 * 24 * 30

MINUTES = 43_200
HOURS = MINUTES // 60
INTERVALS = (5, 30, 60)
SIZES = (100, 1_000, 10_000)


def constant(file, name):
    """Reads a duration or a number from the Rust code, in seconds if it is a duration."""
    text = (TOP / "functions/oci-poll/src" / file).read_text()
    found = re.search(rf"const {name}: [^=]*=\s*[\w:]*?(?:from_(\w+)|new)\(([\d_]+)\)", text)
    unit = {"secs": 1, "mins": 60, "hours": 3600, None: 1}[found[1]]
    return int(found[2].replace("_", "")) * unit


CONCURRENCY = constant("instance.rs", "DEFAULT_CONCURRENCY")
VERIFY = constant("instance.rs", "DEFAULT_VERIFY_INTERVAL")
SCHEDULE = constant("schedule.rs", "INVOCATION")
MARGIN = constant("schedule.rs", "MARGIN")
PATIENCE = constant("cursor/lease.rs", "PATIENCE")

POLLED = {"name": "polled", "oci": {"registryUrl": "https://registry.example.com"}}
HOOKED = {
    "name": "polled",
    "oci": {
        "registryUrl": "https://registry.example.com",
        "webhookGoogle": {"audience": "https://hooks.example.com", "email": "push@example.com"},
    },
}
FOLLOWED = {"name": "followed", "ecrEvents": {"queueName": "charts", "regionName": "us-east-1"}}


def plan(instances):
    """Evaluates the module that makes all decisions."""
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf"
    home = {"partition": "aws", "region": "us-east-1", "account_id": "123456789012"}
    variables = {
        "home": home,
        "database": {"secret_arn": secret},
        "migrate_database": {"secret_arn": secret},
        "instances": instances,
    }
    local = TOP / "target/tools/terraform"
    terraform = shutil.which("terraform") or str(local)
    with tempfile.TemporaryDirectory() as folder:
        state, file = f"-state={folder}/state", pathlib.Path(folder, "in.tfvars.json")
        file.write_text(json.dumps(variables))
        environment = {**os.environ, "TF_DATA_DIR": f"{folder}/data", "CHECKPOINT_DISABLE": "1"}

        def run(*words):
            command = [terraform, f"-chdir={TOP}/infra/modules/plan", *words]
            ended = subprocess.run(command, env=environment, capture_output=True, text=True)
            if ended.returncode:
                sys.exit(f"{' '.join(command)}: {ended.stdout}{ended.stderr}")
            return ended.stdout

        run("init", "-input=false")
        run("apply", "-auto-approve", "-input=false", "-no-color", state, f"-var-file={file}")
        outputs = json.loads(run("output", "-json", state))
    return {name: output["value"] for name, output in outputs.items()}


def simulate(interval, seconds, timeout):
    """Plays an hour of the schedule: passes, and seconds of all invocations, per minute."""
    free_at, passes, billed = 0.0, 0, 0.0
    for at in range(0, 3600, SCHEDULE):
        if free_at > at + PATIENCE:
            billed += PATIENCE
            continue
        began = last = max(free_at, at)
        while True:
            passes += 1
            now = last + seconds
            following = last + interval * max(1, math.ceil((now - last) / interval))
            has_time = following + (now - last) + MARGIN < at + timeout
            if interval >= SCHEDULE or following >= began + SCHEDULE or not has_time:
                break
            last = following
        free_at = now
        billed += now - at
    return passes / 60, billed / 60


def row(repositories, interval, function, fixed):
    """Returns the figures of one line of the table."""
    tags = repositories * TAGS / VERIFY  # verified a second
    passes = 60 / interval
    for _ in range(20):
        seconds = (repositories + tags * 60 / passes) / CONCURRENCY * ANSWER + REST
        passes, billed = simulate(interval, seconds, function["timeout"])
    gb_seconds = billed * MINUTES * function["memory_size"] / 1024
    compute = gb_seconds * GB_SECOND + MINUTES * INVOCATION
    requests = repositories * passes * MINUTES + tags * HOURS * 3600
    writes, reads = WRITES_OF_A_PASS * passes * MINUTES, READS_OF_A_MINUTE * MINUTES
    cursor = writes * WRITE + reads * READ
    gb = requests * REQUEST_KB / 1e6
    both_ways = requests * (REQUEST_KB + ANSWER_KB) / 1e6
    without = compute + cursor + gb * SENT_GB + fixed
    return {
        "repositories": repositories, "interval": interval, "passes": passes, "seconds": seconds,
        "billed": billed, "gb_seconds": gb_seconds, "requests": requests, "compute": compute,
        "writes": writes, "reads": reads, "cursor": cursor, "gb": gb, "sent": gb * SENT_GB,
        "both_ways": both_ways, "without": without,
        "with_nat": without + both_ways * NAT_GB + HOURS * NAT_HOUR,
    }  # fmt: skip


def line(figures):
    per_minute = f"{figures['passes']:.1f}".removesuffix(".0")
    return (
        f"| {figures['repositories']:,} | {figures['interval']} s | {per_minute} | "
        f"{figures['requests'] / 1e6:,.0f} million | {figures['compute']:.2f} | "
        f"{figures['cursor']:.2f} | {figures['sent']:.2f} | **{figures['without']:.0f}** | "
        f"**{figures['with_nat']:.0f}** |"
    )


def example(figures, alarms, metrics, function):
    """Explains one line of the table."""
    f = figures
    verified = f["requests"] - f["repositories"] * f["passes"] * MINUTES
    listing = f["repositories"] / CONCURRENCY * ANSWER
    fixed = alarms * ALARM + metrics * METRIC
    memory = function["memory_size"] / 1024
    return f"""\
## The arithmetic

For {f["repositories"]:,} repositories every {f["interval"]} seconds, with {MINUTES:,} minutes in a month:

- A pass takes {f["repositories"]:,} ÷ {CONCURRENCY} × {ANSWER} s = {listing:.1f} s, and {f["seconds"] - listing:.1f} s for verification and the rest. An invocation
  waits {f["interval"]} s, makes the second pass and ends after {f["billed"]:.1f} s. That is {f["billed"]:.1f} × {MINUTES:,} × {memory} GB =
  {f["gb_seconds"]:,.0f} GB-s, {f["compute"]:.2f} with the invocations. Lambda bills the waiting; from a minute up there is none.
- Requests: {f["repositories"]:,} × {f["passes"]:.0f} × {MINUTES:,} = {(f["requests"] - verified) / 1e6:.1f} million, and {f["repositories"] * TAGS:,} tags × {HOURS} hours = {verified / 1e6:.1f} million.
  Data sent: {f["requests"] / 1e6:.1f} million × {REQUEST_KB} KB = {f["gb"]:.0f} GB, {f["sent"]:.2f}. Through NAT both ways:
  {f["requests"] / 1e6:.1f} million × {REQUEST_KB + ANSWER_KB:.0f} KB = {f["both_ways"]:.0f} GB × {NAT_GB} = {f["both_ways"] * NAT_GB:.2f}, and {HOURS} hours × {NAT_HOUR} = {HOURS * NAT_HOUR:.2f}.
- DynamoDB: {f["writes"]:,.0f} writes, {f["writes"] * WRITE:.2f}, and {f["reads"]:,.0f} reads, {f["reads"] * READ:.2f}.
- {fixed:.2f} for {alarms} alarms and {metrics} metrics. Together {f["without"]:.0f}, and {f["with_nat"]:.0f} with NAT."""


def page():
    polled, followed, hooked = plan([POLLED]), plan([POLLED, FOLLOWED]), plan([HOOKED])
    function = polled["functions"]["oci-poll"]
    alarms = len(polled["alarms"])
    all_metrics = polled["metrics"]["metrics"].values()
    of = {
        provider: sum(provider in metric["providers"] for metric in all_metrics)
        for provider in ("oci", "ecr")
    }
    fixed = alarms * ALARM + of["oci"] * METRIC
    rows = [row(size, interval, function, fixed) for size in SIZES for interval in INTERVALS]
    shown = next(one for one in rows if (one["repositories"], one["interval"]) == (1_000, 30))
    ecr_alarms = len(followed["alarms"]) - alarms
    hook_alarms = len(hooked["alarms"]) - alarms
    polling = POLLS_OF_A_QUEUE * SQS_REQUEST
    head = (
        "| repositories | interval | passes a minute | requests | Lambda | DynamoDB | data sent | "
        "without NAT | with NAT |\n|---|---|---|---|---|---|---|---|---|"
    )
    slow = row(10_000, 60, function, fixed)["seconds"]
    return f"""\
{head}
{chr(10).join(map(line, rows))}

With 10,000 repositories a pass takes {slow:.0f} s, so a shorter interval is not kept.

{example(shown, alarms, of["oci"], function)}

## An `ecr` instance

{ecr_alarms * ALARM:.2f} for {ecr_alarms} alarms, {of["ecr"] * METRIC:.2f} for {of["ecr"]} metrics, and {polling:.2f} for polling an empty queue (five pollers,
three times a minute, {SQS_REQUEST * 1e6:.2f} per million). The rest is cents: 4,320 invocations of the repair, of which
one a day does something, and at most one invocation per push.

## Webhooks

{hook_alarms * ALARM:.2f} for {hook_alarms} alarms and {polling:.2f} for polling the queue of hints, for all instances together. A webhook is an
invocation of some milliseconds, and its hint another one and a few requests to the registry."""


def main(words):
    text = PAGE.read_text()
    before, rest = text.split(START)
    _, after = rest.split(END)
    new = f"{before}{START}\n{page()}\n{END}{after}"
    if words == ["--check"]:
        if new != text:
            sys.exit("run infra/scripts/costs.py: docs/operate/costs.md is not up to date")
    else:
        PAGE.write_text(new)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1:] != ["--check"]:
        sys.exit(__doc__)
    main(sys.argv[1:])
