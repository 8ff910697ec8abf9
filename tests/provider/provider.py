"""Stands in for the AWS provider for Terraform: its types, with an account that is a file.

It has the real provider's names, types and nesting, which `schema.py` reads from a package. It
makes nothing: a created resource is a line in the account's file. Values that AWS chooses (ARNs,
ids, URLs) are unknown in a plan and set by an apply, as with the real provider. A second resource of
the same name in the same account and region is refused.

Environment:
  AWS_PROVIDER_SCHEMA   folder that `schema.py` wrote
  AWS_PROVIDER_TYPES    the types to serve, such as `resource.aws_sqs_queue data.aws_region`
  AWS_PROVIDER_ACCOUNT  file of the account: a JSON line for each create, update and delete
  AWS_PROVIDER_REFUSES  a type that cannot be created, for tests of failures
"""

import fcntl
import hashlib
import json
import os
import pathlib
import re

import tf.provider
import tf.runner
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc
from tf.types import Unknown
from tf.utils import read_dynamic_value, to_dynamic_value

NESTING = {"single": 1, "list": 2, "set": 3}
HOME_ACCOUNT = "123456789012"

# The arguments that name a resource. Two resources with the same values are one to AWS.
NAMES = (
    "name", "function_name", "alarm_name", "dashboard_name", "group_name", "role", "rule",
    "target_id", "statement_id", "event_source_arn", "queue_url", "repository", "identifier",
    "bucket", "key", "alias", "policy_name", "policy_arn",
)  # fmt: skip
# A new value of these arguments makes Terraform replace the resource.
REPLACING = ("function_name", "alarm_name", "dashboard_name", "group_name", "role", "rule",
             "statement_id", "target_id", "event_source_arn", "queue_url", "hash_key",
             "range_key", "triggers", "policy_arn")  # fmt: skip
RENAMEABLE = ("aws_security_group_rule",)
GLOBAL = ("aws_iam_",)
# The ARN of a resource is `arn:aws:SERVICE:REGION:ACCOUNT:` and this, with {} for the name.
ARNS = {
    "aws_cloudwatch_event_rule": "events:{region}:{account}:rule/{name}",
    "aws_cloudwatch_log_group": "logs:{region}:{account}:log-group:{name}",
    "aws_cloudwatch_metric_alarm": "cloudwatch:{region}:{account}:alarm:{name}",
    "aws_dynamodb_table": "dynamodb:{region}:{account}:table/{name}",
    "aws_iam_policy": "iam::{account}:policy/{name}",
    "aws_iam_role": "iam::{account}:role/{name}",
    "aws_kms_key": "kms:{region}:{account}:key/{id}",
    "aws_lambda_function": "lambda:{region}:{account}:function:{name}",
    "aws_lambda_layer_version": "lambda:{region}:{account}:layer:{name}:1",
    "aws_scheduler_schedule_group": "scheduler:{region}:{account}:schedule-group/{name}",
    "aws_secretsmanager_secret": "secretsmanager:{region}:{account}:secret:{name}-{suffix}",
    "aws_sns_topic": "sns:{region}:{account}:{name}",
    "aws_sqs_queue": "sqs:{region}:{account}:{name}",
}
# Other values that AWS chooses and that a configuration may use.
CHOSEN = {
    ("aws_db_instance", "address"): "{name}.{suffix}.{region}.rds.amazonaws.com",
    ("aws_db_instance", "endpoint"): "{name}.{suffix}.{region}.rds.amazonaws.com:5432",
    ("aws_db_instance", "resource_id"): "db-{upper}",
    ("aws_lambda_function_url", "function_url"): "https://{hex}.lambda-url.{region}.on.aws/",
    ("aws_lambda_invocation", "result"): '{{"applied":[],"current":1}}',
    ("aws_secretsmanager_secret", "id"): (
        "arn:aws:secretsmanager:{region}:{account}:secret:{name}-{suffix}"
    ),
    ("aws_secretsmanager_secret_version", "arn"): "{secret_id}",
    ("aws_sqs_queue", "id"): "https://sqs.{region}.amazonaws.com/{account}/{name}",
    ("aws_sqs_queue", "url"): "https://sqs.{region}.amazonaws.com/{account}/{name}",
}
# The same for lists of objects.
CHOSEN_LISTS = {
    ("aws_db_instance", "master_user_secret"): {
        "secret_arn": "arn:aws:secretsmanager:{region}:{account}:secret:rds!db-{hex}-{suffix}",
        "kms_key_id": "arn:aws:kms:{region}:{account}:key/aws-secretsmanager",
        "secret_status": "active",
    },
}
ID_PREFIXES = {
    "aws_internet_gateway": "igw-", "aws_nat_gateway": "nat-", "aws_route_table": "rtb-",
    "aws_security_group": "sg-", "aws_subnet": "subnet-", "aws_vpc": "vpc-",
    "aws_vpc_endpoint": "vpce-", "aws_eip": "eipalloc-",
}  # fmt: skip


def load_types():
    folder = pathlib.Path(os.environ["AWS_PROVIDER_SCHEMA"])
    types = {"resource": {}, "data": {}}
    for word in os.environ["AWS_PROVIDER_TYPES"].split():
        kind, name = word.split(".")
        file = folder / f"{word}.json"
        # Terraform itself reports a type that the provider does not have.
        if file.exists():
            types[kind][name] = json.loads(file.read_text())
    return types


def wire_block(block):
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(name=name, **{**about, "type": json.dumps(about["type"]).encode()})
            for name, about in block["attributes"].items()
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                nesting=NESTING[about["nesting"]],
                min_items=about["min"] if about["nesting"] != "single" else 0,
                max_items=about["max"] if about["nesting"] == "list" else 0,
                block=wire_block(about["block"]),
            )
            for name, about in block["blocks"].items()
        ],
    )


def wire_schema(block):
    return pb.Schema(block=wire_block(block))


def provider_block():
    def optional(kind):
        return {"type": kind, "required": False, "optional": True, "computed": False}

    def nested(attributes):
        block = {"attributes": attributes, "blocks": {}}
        return {"nesting": "list", "min": 0, "max": 1, "block": block}

    return {
        "attributes": {"region": optional("string"), "profile": optional("string")},
        "blocks": {
            "assume_role": nested({"role_arn": optional("string")}),
            "default_tags": nested({"tags": optional(["map", "string"])}),
        },
    }


def each_block(block, value, change):
    """Returns the value with `change` applied to it and to every block inside it."""
    if value is None or value is Unknown:
        return value
    value = change(block, dict(value))
    for name, about in block["blocks"].items():
        inner = value.get(name)
        if isinstance(inner, list):
            value[name] = [each_block(about["block"], one, change) for one in inner]
        elif isinstance(inner, dict):
            value[name] = each_block(about["block"], inner, change)
    return value


def leave_open(block, value):
    """Marks what AWS chooses as unknown."""
    for name, about in block["attributes"].items():
        if about["computed"] and value.get(name) is None:
            value[name] = Unknown
    return value


def leave_out(block, value):
    """Keeps what is sent to AWS, without what AWS chooses."""
    return {name: None if inner is Unknown else inner for name, inner in value.items()}


class Account:
    """What exists, and where."""

    def __init__(self):
        self.file = os.environ.get("AWS_PROVIDER_ACCOUNT")
        self.region = "us-east-1"
        self.number = HOME_ACCOUNT

    def configure(self, config):
        if isinstance(config.get("region"), str):
            self.region = config["region"]
        for role in config.get("assume_role") or []:
            if isinstance(role.get("role_arn"), str):
                self.number = role["role_arn"].split(":")[4]

    def identity(self, kind, value):
        """Returns what tells this resource from others of its type; None without a name."""
        names = [f"{name}={value[name]}" for name in NAMES if isinstance(value.get(name), str)]
        if not names:
            return None
        region = value.get("region") or self.region
        return " ".join([kind, self.number, "-" if kind.startswith(GLOBAL) else region, *names])

    def record(self, operation, kind, value):
        """Writes a change; returns an error if the resource exists already."""
        if not self.file:
            return None
        identity = self.identity(kind, value)
        line = {"operation": operation, "type": kind, "identity": identity, "value": value}
        if operation == "create" and kind == os.environ.get("AWS_PROVIDER_REFUSES"):
            return "it is refused, as the environment says"
        with open(self.file, "a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if operation == "create" and identity and identity in self.existing(file):
                return f"it exists already: {identity}"
            file.write(json.dumps(line) + "\n")
        return None

    def find(self, kind, name):
        """Returns what was sent to AWS for the resource of this name; None if there is none."""
        if not self.file or not os.path.exists(self.file):
            return None
        found = None
        with open(self.file) as file:
            for line in map(json.loads, file):
                if line["type"] == kind and line["value"].get("name") == name:
                    found = None if line["operation"] == "delete" else line["value"]
        return found

    @staticmethod
    def existing(file):
        file.seek(0)
        existing = set()
        for line in map(json.loads, file):
            (existing.discard if line["operation"] == "delete" else existing.add)(line["identity"])
        return existing

    def choose(self, kind, block, value):
        """Sets what AWS chooses."""
        region = value.get("region")
        region = region if isinstance(region, str) else self.region
        names = [value[name] for name in NAMES if isinstance(value.get(name), str)]
        layer = value.get("layer_name")
        name = names[0] if names else layer if isinstance(layer, str) else "x"
        hexes = hashlib.sha256(f"{kind} {region} {names}".encode()).hexdigest()
        words = {"region": region, "account": self.number, "name": name, "suffix": hexes[:6],
                 "hex": hexes[:32], "upper": hexes[:26].upper()}  # fmt: skip
        words["secret_id"] = value.get("secret_id")
        words["id"] = ID_PREFIXES.get(kind, "") + (hexes[:17] if kind in ID_PREFIXES else name)
        arn = ARNS.get(kind, "service:{region}:{account}:{name}")
        special = {"id": "{id}", "arn": "arn:aws:" + arn, "region": "{region}"}

        def fill(block, value):
            for key, about in block["attributes"].items():
                if value.get(key) is Unknown and (kind, key) in CHOSEN_LISTS:
                    members = CHOSEN_LISTS[kind, key].items()
                    value[key] = [{name: text.format(**words) for name, text in members}]
                elif value.get(key) is Unknown:
                    template = CHOSEN.get((kind, key), special.get(key))
                    value[key] = template.format(**words) if template else empty(about["type"])
            return value

        return each_block(block, value, fill)


def empty(kind):
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    return {"string": "chosen-by-aws", "number": 0, "bool": False}.get(kind)


def read_data(kind, value, account):
    """Answers the data sources that the configurations use."""
    answers = {
        "aws_caller_identity": {
            "account_id": account.number,
            "arn": f"arn:aws:iam::{account.number}:user/deployer",
            "id": account.number,
            "user_id": "AIDAEXAMPLE",
        },
        "aws_partition": {
            "partition": "aws",
            "dns_suffix": "amazonaws.com",
            "id": "aws",
            "reverse_dns_prefix": "com.amazonaws",
        },
        "aws_region": {
            "region": account.region,
            "name": account.region,
            "id": account.region,
            "description": "A region",
            "endpoint": f"ec2.{account.region}.amazonaws.com",
        },
    }
    return {**value, **answers[kind]}


def problem(text):
    return [pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=text)]


CAPABILITIES = pb.ServerCapabilities(plan_destroy=True, get_provider_schema_optional=True)


class Servicer(rpc.ProviderServicer):
    """Answers Terraform's plugin protocol, version 6."""

    def __init__(self, _provider):
        self.types = load_types()
        self.account = Account()

    def GetMetadata(self, request, context):
        return pb.GetMetadata.Response(server_capabilities=CAPABILITIES)

    def GetProviderSchema(self, request, context):
        schemas = {
            kind: {name: wire_schema(block) for name, block in blocks.items()}
            for kind, blocks in self.types.items()
        }
        return pb.GetProviderSchema.Response(
            provider=wire_schema(provider_block()),
            server_capabilities=CAPABILITIES,
            resource_schemas=schemas["resource"],
            data_source_schemas=schemas["data"],
        )

    def ValidateProviderConfig(self, request, context):
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request, context):
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request, context):
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request, context):
        self.account.configure(read_dynamic_value(request.config) or {})
        return pb.ConfigureProvider.Response()

    def UpgradeResourceState(self, request, context):
        state = json.loads(request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=to_dynamic_value(state))

    def ReadResource(self, request, context):
        return pb.ReadResource.Response(new_state=request.current_state)

    def ReadDataSource(self, request, context):
        value = read_data(request.type_name, read_dynamic_value(request.config), self.account)
        return pb.ReadDataSource.Response(state=to_dynamic_value(value))

    def PlanResourceChange(self, request, context):
        kind, block = request.type_name, self.types["resource"][request.type_name]
        new = read_dynamic_value(request.proposed_new_state)
        old = read_dynamic_value(request.prior_state)
        if new is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        replacing = []
        if old is not None:
            names = REPLACING if kind in RENAMEABLE else (*REPLACING, "name", "region")
            replacing = [name for name in names if new.get(name) != old.get(name)]
        if replacing:
            config = read_dynamic_value(request.config)
            new = {name: config.get(name) if name in block["attributes"] else value
                   for name, value in new.items()}  # fmt: skip
        if old is None or replacing:
            new = each_block(block, new, leave_open)
        steps = [pb.AttributePath.Step(attribute_name=name) for name in replacing]
        return pb.PlanResourceChange.Response(
            planned_state=to_dynamic_value(new),
            requires_replace=[pb.AttributePath(steps=[step]) for step in steps],
        )

    def ApplyResourceChange(self, request, context):
        kind, block = request.type_name, self.types["resource"][request.type_name]
        planned = read_dynamic_value(request.planned_state)
        prior = read_dynamic_value(request.prior_state)
        if planned is None:
            self.account.record("delete", kind, prior)
            return pb.ApplyResourceChange.Response(new_state=request.planned_state)
        made = self.account.choose(kind, block, planned)
        sent = each_block(block, planned, leave_out)
        error = self.account.record("update" if prior else "create", kind, sent)
        if error:
            return pb.ApplyResourceChange.Response(diagnostics=problem(f"{kind}: {error}"))
        return pb.ApplyResourceChange.Response(new_state=to_dynamic_value(made))

    def ImportResourceState(self, request, context):
        block = self.types["resource"][request.type_name]
        state = dict.fromkeys(block["attributes"])
        for name, about in block["blocks"].items():
            state[name] = None if about["nesting"] == "single" else []
        name = re.split(r"[/:]", request.id)[-1]
        found = self.account.find(request.type_name, name)
        if found is None:
            text = f"there is no {request.type_name} {name}"
            return pb.ImportResourceState.Response(diagnostics=problem(text))
        state.update(found, id=request.id)
        if "url" in state:
            state["url"] = request.id
        resource = pb.ImportResourceState.ImportedResource(
            type_name=request.type_name, state=to_dynamic_value(state)
        )
        return pb.ImportResourceState.Response(imported_resources=[resource])

    def StopProvider(self, request, context):
        return pb.StopProvider.Response()


class Provider:
    """Names the provider for the runner, which needs nothing else of it."""

    def full_name(self):
        return "registry.terraform.io/hashicorp/aws"


if __name__ == "__main__":
    # The runner looks the class up here. Its own one serves providers that are written with it.
    tf.provider.ProviderServicer = Servicer
    tf.runner.run_provider(Provider())
