#!/usr/bin/env python3
"""Tries the whole installation in an AWS account, and removes it again.

It applies infra/examples/from-scratch under a random name, pushes a chart with Helm, waits until its row
is there, deletes the chart, waits until the row says so, and destroys everything. Then it prints a report
that can be pasted into an issue. It takes about half an hour, most of it for RDS, and up to two hours
more where AWS is slow to delete the network interfaces of Lambda. It costs less than a dollar.

The account needs the rights to make a VPC, RDS, roles, functions and the rest of the example. Nothing
that exists is touched. Everything that is made has the random name. It is printed first, with the command
that removes what is left if the script is killed.
"""

import argparse
import base64
import contextlib
import datetime
import io
import json
import os
import pathlib
import platform
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

import boto3
import botocore.auth
import botocore.awsrequest

TOP = pathlib.Path(__file__).resolve().parents[2]
CERTIFICATES = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
FUNCTIONS = ("admin", "ecr-events", "migrate")
CHART, VERSION = "hello", "0.1.0"
# A row takes seconds. The first invocation of a function in a VPC may take longer.
ROW_LIMIT = 300
# AWS deletes the network interfaces of a function 20 to 60 minutes after it.
DESTROY_LIMIT = 2 * 60 * 60
DESTROY_PAUSE = 300


class Failed(Exception):
    """A step failed. Its text is the reason."""


class Report:
    """What was done, and how long it took."""

    def __init__(self, name, region):
        self.name, self.region, self.steps = name, region, []

    @contextlib.contextmanager
    def step(self, what):
        say(what)
        began, notes = time.monotonic(), []
        try:
            yield notes.append
        except BaseException as error:
            reason = str(error) or type(error).__name__
            self.add(what, "failed", began, reason.strip().splitlines()[-1:])
            raise
        self.add(what, "ok", began, notes)

    def add(self, what, outcome, began, notes):
        seconds = time.monotonic() - began
        # The report is for the public, and a bar would end the cell.
        about = re.sub(r"\d{12}", "<account>", "; ".join(notes)).replace("|", "/")
        self.steps.append((what, outcome, f"{seconds:.1f}", about))

    def skip(self, what, reason):
        say(f"{what}: skipped, {reason}")
        self.steps.append((what, "skipped", "", reason))

    def text(self):
        lines = [
            "### make smoke",
            "",
            f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, "
            f"{self.region}, {terraform_version()}, Python {platform.python_version()}",
            "",
            "| step | outcome | seconds | |",
            "|---|---|---|---|",
        ]
        return "\n".join([*lines, *(f"| {' | '.join(step)} |" for step in self.steps)])

    def is_ok(self, step):
        return any((what, outcome) == (step, "ok") for what, outcome, *_ in self.steps)

    def failed(self):
        return any(outcome == "failed" for _, outcome, *_ in self.steps)


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def output(*command, **options):
    """Runs a command and returns what it printed."""
    ended = subprocess.run(command, capture_output=True, text=True, **options)
    if ended.returncode:
        raise Failed(f"{' '.join(command[:3])} failed: {ended.stdout[-4000:]}{ended.stderr[-4000:]}")
    return ended.stdout


def finished(*command):
    """Runs a command to its end, also after Ctrl-C, and returns what it printed.

    Ctrl-C reaches a session of its own only as the one SIGINT that is sent here. Terraform then stops
    after what is in flight, and writes it to the state. A second one would stop it without that.
    """
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    interrupted = None
    while True:
        try:
            out, err = running.communicate()
            break
        except KeyboardInterrupt as error:
            say("interrupted: waiting until Terraform has written its state")
            if interrupted is None:
                running.send_signal(signal.SIGINT)
            interrupted = error
    if interrupted is not None:
        raise interrupted
    if running.returncode:
        raise Failed(f"{' '.join(command[:3])} failed: {out[-4000:]}{err[-4000:]}")
    return out


def commit():
    with contextlib.suppress(Failed, OSError):
        return output("git", "-C", str(TOP), "rev-parse", "--short", "HEAD").strip()
    return "unknown"


def terraform_version():
    with contextlib.suppress(Failed, OSError):
        return output(terraform_path(), "version").splitlines()[0]
    return "no Terraform"


def terraform_path():
    installed = TOP / "target/tools/terraform"
    return shutil.which("terraform") or str(installed)


class Installation:
    """A copy of the example, so that its state and Terraform's files are beside nothing else."""

    def __init__(self, folder, variables):
        self.example = folder / "infra/examples/from-scratch"
        leave_out = shutil.ignore_patterns(".terraform*", "terraform.tfstate*")
        shutil.copytree(TOP / "infra", folder / "infra", ignore=leave_out)
        (folder / "target").mkdir()
        (folder / "target/lambda").symlink_to(TOP / "target/lambda")
        (self.example / "terraform.tfvars.json").write_text(json.dumps(variables))

    def terraform(self, *words):
        return finished(terraform_path(), f"-chdir={self.example}", *words)

    def apply(self):
        self.terraform("init", "-input=false", "-no-color")
        self.terraform("apply", "-auto-approve", "-input=false", "-no-color")
        outputs = json.loads(self.terraform("output", "-json"))
        return {name: one["value"] for name, one in outputs.items()}

    def destroy(self, limit):
        """Destroys everything. AWS refuses subnets and security groups for a while."""
        give_up_at = time.monotonic() + limit
        while True:
            try:
                return self.terraform("destroy", "-auto-approve", "-input=false", "-no-color")
            except Failed as error:
                is_waiting = "DependencyViolation" in str(error) or "in use" in str(error)
                if not is_waiting or time.monotonic() > give_up_at:
                    raise
                say("AWS has not deleted the network interfaces yet: trying again in five minutes")
                time.sleep(DESTROY_PAUSE)

    def how_to_remove(self):
        return f"terraform -chdir={self.example} destroy"


def principal(session):
    """Returns the ARN of the user or role that runs this, for the admin pages."""
    arn = session.client("sts").get_caller_identity()["Arn"]
    if ":assumed-role/" not in arn:
        return arn
    # The ARN of a session leaves out the path that its role may have.
    role = arn.split("/")[1]
    return session.client("iam").get_role(RoleName=role)["Role"]["Arn"]


def zones(session):
    found = session.client("ec2").describe_availability_zones(
        Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}]
    )
    return [zone["ZoneName"] for zone in found["AvailabilityZones"]][:2]


def missing_packages(package_s3):
    if package_s3:
        return []
    files = [TOP / f"target/lambda/{function}/bootstrap.zip" for function in FUNCTIONS]
    return [str(file.relative_to(TOP)) for file in files if not file.is_file()]


def write_certificates(zip_path, has_network):
    pem = b"stand-in\n"
    if has_network:
        with urllib.request.urlopen(CERTIFICATES, timeout=60) as answer:
            pem = answer.read()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("rds.pem", pem)
    zip_path.write_bytes(packed.getvalue())


def make_chart(folder):
    chart = folder / CHART
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {CHART}\nversion: {VERSION}\n")
    (chart / "templates/empty.yaml").write_text("# nothing\n")
    return chart


def push(folder, host, repository, login):
    """Packages the chart and pushes it with Helm's own client."""
    import helm_python

    package = helm_python.package(str(make_chart(folder)), destination=str(folder), version=VERSION)
    credentials = folder / "credentials.json"
    try:
        client = helm_python.RegistryClient(
            plain_http=login is None, credentials_file=str(credentials)
        )
        if login:
            client.login(host, *login)
        client.push(package, f"oci://{host}/{repository.rpartition('/')[0]}")
    finally:
        credentials.unlink(missing_ok=True)


def charts(session, admin_url):
    """Lists the rows of the chart at the admin API, with a signed request."""
    url = f"{admin_url.rstrip('/')}/api/v2/helm-charts?kind={CHART}&text={VERSION}"
    request = botocore.awsrequest.AWSRequest("GET", url)
    credentials = session.get_credentials().get_frozen_credentials()
    botocore.auth.SigV4Auth(credentials, "lambda", session.region_name).add_auth(request)
    call = urllib.request.Request(url, headers=dict(request.headers))
    with urllib.request.urlopen(call, timeout=30) as answer:
        return json.load(answer)["items"]


def wait_for_row(session, admin_url, is_available):
    """Waits until the row of the chart is there and says this. Returns the seconds."""
    began, last = time.monotonic(), "no answer"
    while time.monotonic() < began + ROW_LIMIT:
        try:
            rows = charts(session, admin_url)
            last = f"{[row['available'] for row in rows]}"
            if [row["available"] for row in rows] == [is_available]:
                return time.monotonic() - began
        except (urllib.error.URLError, TimeoutError) as error:
            last = str(error)
        time.sleep(0.5)
    raise Failed(f"no such row within {ROW_LIMIT} s; the last answer: {last}")


class Ecr:
    """The account's own registry."""

    def __init__(self, session, host):
        self.client, self.host = session.client("ecr"), host

    def prepare(self, repository):
        self.client.create_repository(repositoryName=repository)

    def login(self):
        data = self.client.get_authorization_token()["authorizationData"][0]
        return tuple(base64.b64decode(data["authorizationToken"]).decode().split(":", 1))

    def delete(self, repository):
        self.client.batch_delete_image(
            repositoryName=repository, imageIds=[{"imageTag": VERSION}]
        )

    def clean_up(self, repository):
        self.client.delete_repository(repositoryName=repository, force=True)


class LocalRegistry(Ecr):
    """ECR's repositories are moto's, which takes no pushes. A registry on this machine does."""

    def login(self):
        super().login()  # moto's answer is of no use here

    def delete(self, repository):
        url = f"http://{self.host}/v2/{repository}/manifests"
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        head = urllib.request.Request(f"{url}/{VERSION}", headers=accept, method="HEAD")
        with urllib.request.urlopen(head, timeout=30) as answer:
            digest = answer.headers["Docker-Content-Digest"]
        urllib.request.urlopen(urllib.request.Request(f"{url}/{digest}", method="DELETE"), timeout=30)


def follow_a_chart(report, session, registry, admin_url, folder, repository):
    """Pushes a chart and deletes it, and waits for its row each time."""
    with report.step("helm push"):
        push(folder, registry.host, repository, registry.login())
    with report.step("wait for the row") as note:
        note(f"{wait_for_row(session, admin_url, True):.1f} s after the push")
    with report.step("delete the chart"):
        registry.delete(repository)
    with report.step("wait for the row to be deleted") as note:
        note(f"{wait_for_row(session, admin_url, False):.1f} s after the deletion")


def try_installation(options, report, session, folder):
    with report.step("look at the account") as note:
        variables = {
            "name": report.name,
            "region": options.region,
            "availability_zones": zones(session),
            "admin_role_arn": principal(session),
            "database_ca_layer_zip": str(folder / "rds-ca.zip"),
            "deletion_protection": False,
            "package_s3": options.package_s3,
        }
        note(", ".join(variables["availability_zones"]))
    with report.step("get the certificates of RDS"):
        write_certificates(folder / "rds-ca.zip", not options.stand_in)
    installation = Installation(folder, variables)
    say(f"if this is killed, remove everything with: {installation.how_to_remove()}")
    try:
        with report.step("terraform apply") as note:
            outputs = installation.apply()
            note(f"functions {', '.join(sorted(outputs['function_names'].values()))}")
        use(options, report, session, folder, outputs)
    finally:
        if options.keep:
            report.skip("terraform destroy", "--keep")
        else:
            with report.step("terraform destroy"):
                installation.destroy(DESTROY_LIMIT)


def use(options, report, session, folder, outputs):
    repository = f"{report.name}/{CHART}"
    if options.stand_in_registry:
        registry = LocalRegistry(session, options.stand_in_registry)
    else:
        registry = Ecr(session, outputs["repository_host"])
    with report.step("make a repository in ECR"):
        registry.prepare(repository)
    try:
        if options.stand_in and not options.stand_in_admin:
            report.skip("helm push and its row", "a stand-in for AWS runs no functions")
        else:
            admin_url = options.stand_in_admin or outputs["admin_url"]
            follow_a_chart(report, session, registry, admin_url, folder, repository)
    finally:
        with report.step("delete the repository"):
            registry.clean_up(repository)


def read_options(words):
    parser = argparse.ArgumentParser(
        prog="make smoke", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    parser.add_argument("--region", default=region, help="the region (default: %(default)s)")
    parser.add_argument(
        "--package-s3", type=json.loads, metavar="JSON",
        help='packages from a bucket: \'{"bucket":"releases","prefix":"v1/"}\';\n'
             "without it, those of `make package`",
    )  # fmt: skip
    parser.add_argument("--keep", action="store_true", help="do not destroy anything")
    parser.add_argument("--report", type=pathlib.Path, help="a file for the report as well")
    stand_in = parser.add_argument_group(
        "stand-ins for AWS",
        "for the tests of this project: the environment names a provider that stands in for AWS's\n"
        "(TF_CLI_CONFIG_FILE) and moto (AWS_ENDPOINT_URL)",
    )
    stand_in.add_argument("--stand-in", action="store_true", help="skip what stand-ins cannot do")
    stand_in.add_argument("--stand-in-registry", metavar="HOST", help="a registry for the push")
    stand_in.add_argument("--stand-in-admin", metavar="URL", help="an `admin` that has its rows")
    return parser.parse_args(words)


def main(words):
    options = read_options(words)
    missing = missing_packages(options.package_s3)
    if missing and not options.stand_in:
        sys.exit(f"run `make package` first, or give --package-s3: {', '.join(missing)} is missing")
    report = Report(f"smoke-{secrets.token_hex(3)}", options.region)
    folder = TOP / "target/smoke" / report.name
    folder.mkdir(parents=True)
    session = boto3.Session(region_name=options.region)
    say(f"everything is called {report.name}")
    try:
        try_installation(options, report, session, folder)
    except KeyboardInterrupt:
        say("interrupted")
    except Exception as error:  # noqa: BLE001  (whatever it is, the report has it)
        say(str(error))
    if report.is_ok("terraform destroy"):
        shutil.rmtree(folder)
    print(report.text())
    if options.report:
        options.report.write_text(report.text() + "\n")
    return 1 if report.failed() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
