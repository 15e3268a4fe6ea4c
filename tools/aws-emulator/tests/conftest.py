"""One emulator for all tests of a process; every test has an AWS account of its own."""

import itertools
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

SERVE = Path(__file__).resolve().parents[1] / "serve.py"
REGION = "us-west-2"
SESSION = boto3.session.Session()


def start(folder: Path, *more: str) -> tuple[subprocess.Popen[bytes], str]:
    ready = folder / "ready"
    process = subprocess.Popen([sys.executable, str(SERVE), "--ready-file", str(ready), "--stop-on-stdin-close", *more], stdin=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not ready.exists():
        assert process.poll() is None and time.monotonic() < deadline, "the emulator does not start"
        time.sleep(0.01)
    return process, ready.read_text()


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory):
    process, url = start(tmp_path_factory.mktemp("emulator"))
    yield url
    process.stdin.close()
    process.wait(10)


class Aws:
    """Clients of one account, and the control API."""

    numbers = itertools.count(os.getpid() % 1000 * 100_000)

    def __init__(self, url: str, account: str | None = None, region: str = REGION):
        self.url, self.region = url, region
        self.account = account or f"5{next(Aws.numbers):011d}"
        self._clients: dict[str, Any] = {}

    def client(self, service: str, retries: int = 0, timeout: float = 20) -> Any:
        return SESSION.client(
            service, region_name=self.region, endpoint_url=self.url, aws_access_key_id=f"DMSNET{self.account}",
            aws_secret_access_key="x", config=Config(parameter_validation=False, retries={"max_attempts": retries}, read_timeout=timeout, connect_timeout=5))

    def __getattr__(self, service: str) -> Any:
        if service.startswith("_"):
            raise AttributeError(service)
        if service not in self._clients:
            self._clients[service] = self.client(service)
        return self._clients[service]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", method=method, data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    def topology(self, **wish: Any) -> dict[str, Any]:
        return self.control("POST", "topology", {"account": self.account, "region": self.region, **wish})

    def fault(self, **wish: Any) -> dict[str, Any]:
        return self.control("POST", "faults", {"account": self.account, **wish})

    def calls(self, **wanted: str) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in {"account": self.account, **wanted}.items())
        return self.control("GET", f"calls?{query}")["calls"]

    def state(self) -> dict[str, Any]:
        return self.control("GET", f"state?account={self.account}&region={self.region}")

    def group(self, vpc_id: str, name: str) -> str:
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc_id)["GroupId"]


@pytest.fixture
def aws(url: str):
    aws = Aws(url)
    yield aws
    aws.control("DELETE", "faults")


@pytest.fixture
def net(aws: Aws) -> dict[str, Any]:
    return aws.topology(rds=False)


@pytest.fixture
def delays(aws: Aws):
    """Sets delays, and puts them back."""
    before = aws.control("GET", "delays")
    yield lambda **wish: aws.control("POST", "endpoint-delays", wish)
    aws.control("POST", "endpoint-delays", before)


class Refused:
    code = message = ""
    status = 0


class refused:  # noqa: N801 - reads as a word in the tests
    """with refused("InvalidGroup.NotFound") as error: …"""

    def __init__(self, code: str, message: str = "", status: int | None = None):
        self.wanted, self.error = (code, message, status), Refused()

    def __enter__(self) -> Refused:
        return self.error

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        code, message, status = self.wanted
        assert isinstance(error, ClientError), f"{code} expected, got {error!r}"
        self.error.code, self.error.message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        self.error.status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert self.error.code == code, error
        assert message in self.error.message, error
        assert status is None or status == self.error.status, error
        return True


def wait_for(look: Any, seconds: float = 5) -> Any:
    """What `look` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
    return seen


def tcp(port: int, **peers: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peers}


def cidr(text: str, **more: str) -> dict[str, Any]:
    return {"IpRanges": [{"CidrIp": text, **more}]}


def peer(group_id: str, **more: str) -> dict[str, Any]:
    return {"UserIdGroupPairs": [{"GroupId": group_id, **more}]}
