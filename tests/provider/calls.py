"""Checks what was made against what AWS accepts.

usage: calls.py ACCOUNT [ACCOUNT ...]

ACCOUNT is the file that `provider.py` wrote. Each resource becomes the call that makes it, and the
call is checked against botocore's model of the service: members, required members, enums, patterns,
lengths and ranges. A few limits stand in AWS's documents only; `LIMITS` has them. Prints a line for
each problem.
"""

import json
import re
import sys

import botocore.session

SESSION = botocore.session.get_session()

# The call that makes a resource, and the members that have another name there than the argument.
CALLS = {
    "aws_cloudwatch_dashboard": ("cloudwatch", "PutDashboard", {}),
    "aws_cloudwatch_event_permission": ("events", "PutPermission", {}),
    "aws_cloudwatch_event_rule": ("events", "PutRule", {}),
    "aws_cloudwatch_log_group": ("logs", "CreateLogGroup", {"name": "logGroupName"}),
    "aws_cloudwatch_metric_alarm": ("cloudwatch", "PutMetricAlarm", {}),
    "aws_dynamodb_table": ("dynamodb", "CreateTable", {"name": "TableName"}),
    "aws_ecr_repository_policy": (
        "ecr", "SetRepositoryPolicy", {"repository": "repositoryName", "policy": "policyText"},
    ),
    "aws_iam_policy": (
        "iam", "CreatePolicy", {"name": "PolicyName", "policy": "PolicyDocument"},
    ),
    "aws_iam_role": (
        "iam", "CreateRole", {"name": "RoleName", "assume_role_policy": "AssumeRolePolicyDocument"},
    ),
    "aws_iam_role_policy": (
        "iam", "PutRolePolicy",
        {"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
    ),
    "aws_kms_key": ("kms", "CreateKey", {}),
    "aws_lambda_event_source_mapping": ("lambda", "CreateEventSourceMapping", {}),
    "aws_lambda_function": ("lambda", "CreateFunction", {}),
    "aws_lambda_function_event_invoke_config": ("lambda", "PutFunctionEventInvokeConfig", {}),
    "aws_lambda_function_url": (
        "lambda", "CreateFunctionUrlConfig", {"authorization_type": "AuthType"},
    ),
    "aws_lambda_layer_version": ("lambda", "PublishLayerVersion", {}),
    "aws_lambda_permission": ("lambda", "AddPermission", {}),
    "aws_scheduler_schedule": ("scheduler", "CreateSchedule", {}),
    "aws_scheduler_schedule_group": ("scheduler", "CreateScheduleGroup", {}),
    "aws_sns_topic": ("sns", "CreateTopic", {}),
}  # fmt: skip
# Members that the provider adds by itself: the uploaded file, and the table's keys.
ADDED = {
    "aws_dynamodb_table": lambda value: {
        "KeySchema": [
            {"AttributeName": value["hash_key"], "KeyType": "HASH"},
            {"AttributeName": value["range_key"], "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": one["name"], "AttributeType": one["type"]}
            for one in value["attribute"]
        ],
    },
    "aws_cloudwatch_metric_alarm": lambda value: {
        "Dimensions": [{"Name": n, "Value": v} for n, v in (value["dimensions"] or {}).items()]
    },
    "aws_lambda_function": lambda value: {"Code": {}},
    "aws_lambda_layer_version": lambda value: {"Content": {}},
}


def without_space(text):
    return len(re.sub(r"\s", "", text))


def environment_size(value):
    variables = (value["environment"] or [{"variables": {}}])[0]["variables"] or {}
    return sum(len(name.encode()) + len(text.encode()) for name, text in variables.items())


# Limits that are in AWS's documents and not in its models: type, what is measured, how, the limit.
LIMITS = [
    ("aws_lambda_function", "bytes of environment", environment_size, 4096),
    ("aws_iam_policy", "characters of policy", lambda v: without_space(v["policy"]), 6144),
    ("aws_iam_role_policy", "characters of policy", lambda v: without_space(v["policy"]), 10240),
    ("aws_iam_role", "characters of trust policy",
     lambda v: without_space(v["assume_role_policy"]), 2048),
    ("aws_cloudwatch_event_rule", "characters of pattern", lambda v: len(v["event_pattern"]), 2048),
    ("aws_sqs_queue", "characters of name", lambda v: len(v["name"]), 80),
    ("aws_sqs_queue", "characters that a name cannot have",
     lambda v: len(re.sub(r"[A-Za-z0-9_-]", "", v["name"])), 0),
    ("aws_sqs_queue", "seconds of visibility", lambda v: v["visibility_timeout_seconds"] or 30,
     43200),
    ("aws_cloudwatch_metric_alarm", "seconds of evaluation",
     lambda v: v["period"] * v["evaluation_periods"] if v["period"] < 3600 else 0, 86400),
    ("aws_cloudwatch_metric_alarm", "seconds of a long evaluation",
     lambda v: v["period"] * v["evaluation_periods"], 604800),
    ("aws_scheduler_schedule", "bytes of input", lambda v: len(v["target"][0]["input"].encode()),
     262144),
]  # fmt: skip


def call_of(value, shape, names):
    """Translates a resource, or a block of one, into the members of a call."""
    members = {name.lower(): name for name in shape.members}
    call = {}
    for key, inner in value.items():
        name = names.get(key) or members.get(key.replace("_", ""))
        if name is None or inner is None or inner == []:
            continue
        member = shape.members[name]
        if member.type_name == "structure":
            inner = inner[0] if isinstance(inner, list) else inner
            inner = call_of(inner, member, {}) if isinstance(inner, dict) else inner
        # The provider turns maps into lists of pairs where AWS wants these: `ADDED` has them.
        if member.type_name == "list" and isinstance(inner, dict):
            continue
        call[name] = inner
    return call


def check(path, value, shape):
    """Yields what AWS would refuse about a value."""
    limits = shape.metadata
    if shape.type_name == "structure":
        for name in set(shape.required_members) - set(value):
            yield f"{path} lacks {name}"
        for name, inner in value.items():
            yield from check(f"{path}.{name}", inner, shape.members[name])
        return
    if shape.type_name == "list":
        yield from out_of_range(path, "items", len(value), limits)
        for at, inner in enumerate(value):
            yield from check(f"{path}[{at}]", inner, shape.member)
    elif shape.type_name == "map":
        for key, inner in value.items():
            yield from check(f"{path} key", key, shape.key)
            yield from check(f"{path}[{key}]", inner, shape.value)
    elif shape.type_name == "string":
        yield from check_text(path, value, limits)
    elif shape.type_name in ("integer", "long", "double", "float"):
        yield from out_of_range(path, "", value, limits)


def check_text(path, value, limits):
    if not isinstance(value, str):
        yield f"{path} is no text: {value!r}"
        return
    if limits.get("enum") and value not in limits["enum"]:
        yield f"{path} is not one of {limits['enum'][:8]}: {value}"
    yield from out_of_range(path, "characters", len(value), limits)
    if limits.get("pattern") and not re.search(whole(limits["pattern"]), value):
        yield f"{path} does not match {limits['pattern'][:80]}: {value[:80]}"


def whole(pattern):
    return pattern if pattern.startswith("^") or pattern.endswith("$") else f"^(?:{pattern})$"


def out_of_range(path, unit, number, limits):
    if limits.get("max") is not None and number > limits["max"]:
        yield f"{path} has {number} {unit}, and at most {limits['max']} are allowed"
    if limits.get("min") is not None and number < limits["min"]:
        yield f"{path} has {number} {unit}, and at least {limits['min']} are needed"


def problems(line):
    """Yields the problems of one resource; None for each call that was checked."""
    kind, value = line["type"], line["value"]
    for name, measured, measure, limit in LIMITS:
        if name == kind and measure(value) > limit:
            yield f"{line['identity']}: {measure(value)} {measured}, and {limit} are allowed"
    if kind in CALLS:
        service, operation, names = CALLS[kind]
        shape = SESSION.get_service_model(service).operation_model(operation).input_shape
        call = {**call_of(value, shape, names), **ADDED.get(kind, lambda _: {})(value)}
        yield from check(f"{line['identity']}: {operation}", call, shape)
        yield None


def main(files):
    found = []
    for file in files:
        with open(file) as lines:
            changes = [json.loads(line) for line in lines]
        for line in changes:
            if line["operation"] != "delete":
                found.extend(problems(line))
    texts = sorted({problem for problem in found if problem})
    print("\n".join([*texts, f"{found.count(None)} calls, {len(texts)} problems"]))
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
