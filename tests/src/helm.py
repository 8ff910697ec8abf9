"""Packages a chart and pushes it with the real Helm client.

usage: helm.py CHART_FOLDER VERSION oci://HOST/NAMESPACE [APP_VERSION]

HELM_REGISTRY_CONFIG names a file with the credentials, as for Helm itself.
"""

import os
import sys
import tempfile

import helm_python


def main(folder, version, remote, app_version=None):
    with tempfile.TemporaryDirectory(prefix="chart-discovery-helm-") as scratch:
        package = helm_python.package(folder, destination=scratch, version=version, app_version=app_version)
        credentials = os.environ.get("HELM_REGISTRY_CONFIG", f"{scratch}/credentials.json")
        client = helm_python.RegistryClient(plain_http=True, credentials_file=credentials)
        client.push(package, remote)
        print(f"pushed {os.path.basename(package)} to {remote}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
