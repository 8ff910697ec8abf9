"""Checks the policies of what was made with parliament, a linter for IAM.

usage: policies.py ACCOUNT [ACCOUNT ...]

ACCOUNT is the file that `provider.py` wrote. Finds unknown actions, resources of the wrong type for
an action, unknown condition keys and malformed documents. Prints a line for each finding.
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")

from parliament import analyze_policy_string  # noqa: E402  (it warns while it is imported)

# Findings with a reason. A finding is explained if its issue and its detail are in this list.
EXPLAINED = [
    # Lambda makes the interfaces of a function in a VPC before they have a name.
    ("RESOURCE_STAR", "['ec2:AssignPrivateIpAddresses', 'ec2:CreateNetworkInterface', "
     "'ec2:DeleteNetworkInterface', 'ec2:UnassignPrivateIpAddresses']"),
    # Lambda sets this key for every call of a function's code; the linter knows it for none.
    ("UNKNOWN_CONDITION_FOR_ACTION", "Unknown condition lambda:SourceFunctionArn for action ec2:"),
]  # fmt: skip


def is_explained(finding):
    return any(
        finding.issue == issue and str(finding.detail).startswith(detail)
        for issue, detail in EXPLAINED
    )


def main(files):
    policies = {}
    for file in files:
        with open(file) as lines:
            changes = [json.loads(line) for line in lines]
        policies.update(
            (line["identity"], line["value"]["policy"])
            for line in changes
            if line["type"] in ("aws_iam_policy", "aws_iam_role_policy") and line["operation"] != "delete"
        )
    found = [
        f"{identity}: {finding.issue} {finding.detail} {finding.location}"
        for identity, policy in sorted(policies.items())
        for finding in analyze_policy_string(policy, ignore_private_auditors=True).findings
        if not is_explained(finding)
    ]
    print("\n".join([*found, f"{len(policies)} policies, {len(found)} findings"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
