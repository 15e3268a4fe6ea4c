"""The Python of docs/dms-api.md, run as it stands there."""

import os
import pathlib
import subprocess
import sys

PAGE = pathlib.Path(__file__).parents[3] / "docs/dms-api.md"


def test_describe_endpoints_as_documented(aws, url):
    aws.topology(region="us-west-2")
    page = PAGE.read_text()
    code, rest = page.split("```python\n")[1].split("```\n", 1)
    shown = rest.split("```text\n")[1].split("```")[0]
    plain = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment = plain | {"AWS_ACCESS_KEY_ID": f"DOCS{aws.account}", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-west-2", "DMS_ENDPOINT_URL": url}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (answer.stdout, answer.stderr) == (shown, "")
