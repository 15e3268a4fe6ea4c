"""The real parts as processes of their own, a small client for each, and their end."""

import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import boto3
import yaml
from botocore.config import Config

ACCOUNT = "111122223333"
REGION = "us-west-2"
# An access key ends in the account that it belongs to.
CONTROLLER_KEYS = {"AWS_ACCESS_KEY_ID": f"DMSNET{ACCOUNT}", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
SOMEBODY = {"aws_access_key_id": f"SOMEBODY{ACCOUNT}", "aws_secret_access_key": "not-a-secret"}

T = TypeVar("T")


class Failed(Exception):
    """Something that the story tells did not happen."""


def wait(what: str, seconds: float, look: Callable[[], T | None], pause: float = 0.1) -> T:
    """Looks until there is an answer that is not None."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > end:
            raise Failed(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(pause)


class Parts:
    def __init__(self, root: Path, directory: Path, tools: Path, dmsnet: Path, keep: bool) -> None:
        self.root, self.dir, self.tools, self.dmsnet, self.keep = root, directory, tools, dmsnet, keep
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []
        on_path = shutil.which("kubectl")
        self.kubectl_program = on_path or str(tools / "venv/bin/kubectl")
        self.kubeconfig = directory / "api" / "kubeconfig"
        self.aws_url = ""
        self.http_addr = ""

    # ------------------------------------------------------------------ starting

    def prepare(self) -> None:
        if alive(self.dir):
            raise Failed("an earlier `KEEP=1 make demo` still runs: stop it with `make demo-stop`")
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)

    def start_aws(self) -> None:
        ready = self.dir / "aws-url"
        python = self.tools / "venv/bin/python"
        self._start("AWS emulator", [str(python), str(self.root / "tools/aws-emulator/serve.py"), "--port", "0", "--ready-file", str(ready)], {})
        self._ready_file = ready

    def start_api_server(self) -> None:
        self._start("API server", [str(self.tools / "testapi"), "--dir", str(self.dir / "api")], {})

    def wait_ready(self) -> None:
        self.aws_url = self._file("AWS emulator", self._ready_file)
        ec2 = dict(endpoint_url=self.aws_url, region_name=REGION, config=Config(retries={"max_attempts": 0}), **SOMEBODY)
        self.ec2 = boto3.client("ec2", **ec2)
        self._file("API server", self.kubeconfig)
        # The launcher writes the kubeconfig when the server is ready.
        self.api = KubernetesApi(self.kubeconfig)

    def start_controller(self) -> None:
        """With a token of the ServiceAccount that a pod would have, so with no more rights."""
        token = self.kubectl("create", "token", "dmsnet", "-n", "dmsnet-system", "--duration", "24h").strip()
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        # A pod's own namespace is where its Lease is.
        config["contexts"][0]["context"]["namespace"] = "dmsnet-system"
        kubeconfig = self.dir / "controller-kubeconfig"
        kubeconfig.touch(0o600)
        kubeconfig.write_text(yaml.safe_dump(config))
        address = self.dir / "http-addr"
        arguments = ["run", "--cluster-name", "demo", "--http-addr", "127.0.0.1:0", "--http-addr-file", str(address)]
        environment = CONTROLLER_KEYS | {"KUBECONFIG": str(kubeconfig), "AWS_EC2_METADATA_DISABLED": "true", "DMSNET_LOG": "info"}
        self._start("dmsnet", [str(self.dmsnet), *arguments], environment)
        self.http_addr = self._file("dmsnet", address)
        wait("dmsnet ready", 30, self._controller_ready)

    def _controller_ready(self) -> bool | None:
        self._all_run()
        try:
            with urllib.request.urlopen(f"http://{self.http_addr}/readyz", timeout=5) as answer:
                return True if answer.status == 200 else None
        except OSError:
            return None

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        if not Path(command[0]).exists():
            raise Failed(f"{command[0]} is missing: run `make build tools`")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | environment
        log = open(self.log(name), "ab")
        # A session of its own: Ctrl-C reaches us alone, and we stop them in order.
        process = subprocess.Popen(command, env=clean, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.running.append((name, process))
        (self.dir / "pids.json").write_text(json.dumps([{"name": n, "pid": p.pid, "program": p.args[0]} for n, p in self.running]))

    def _file(self, name: str, path: Path) -> str:
        def look() -> str | None:
            self._all_run()
            return path.read_text().strip() or None if path.exists() else None

        return wait(f"{name} ready", 120, look, 0.05)

    def _all_run(self) -> None:
        if ended := self.ended():
            raise Failed(ended)

    def ended(self) -> str:
        """Which part has ended by itself, with its last words; empty while all run."""
        for name, process in self.running:
            if process.poll() is not None:
                return f"{name} ended with {process.returncode}; it said:\n{tail(self.log(name))}"
        return ""

    def log(self, name: str) -> Path:
        return self.dir / f"{name.lower().replace(' ', '-')}.log"

    def controller_log(self) -> str:
        return tail(self.log("dmsnet"))

    # ------------------------------------------------------------------- stopping

    def stop(self) -> None:
        for name, process in reversed(self.running):
            end(process.pid)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self.running:
            self.running.clear()
            (self.dir / "pids.json").unlink(missing_ok=True)

    # --------------------------------------------------------------------- asking

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run([self.kubectl_program, *arguments], env=environment, input=text, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def emulator(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.aws_url}/_emulator/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def state(self) -> Any:
        return self.emulator(f"state?account={ACCOUNT}&region={REGION}")


class KubernetesApi:
    """Reads from the API server by the kubeconfig's client certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.host = cluster["server"].removeprefix("https://")
        self.context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        pem = kubeconfig.parent / "demo-client.pem"
        pem.touch(0o600)
        pem.write_bytes(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
        self.context.load_cert_chain(pem)

    def get(self, path: str) -> Any | None:
        """The object, or None where there is none."""
        status, body = self._get(path)
        if status == 404:
            return None
        if status != 200:
            raise Failed(f"GET {path}: {body.get('message', body)}")
        return body

    def serves(self, path: str) -> bool:
        return self._get(path)[0] == 200

    def _get(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(self.host, context=self.context, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(text) if is_json else {"message": text}


def tail(path: Path, lines: int = 25) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


def alive(directory: Path) -> list[dict[str, Any]]:
    """What an earlier demo left running. A process that merely has the number of one is not taken for it."""
    file = directory / "pids.json"
    if not file.exists():
        return []

    def runs(part: dict[str, Any]) -> bool:
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(part["pid"])], capture_output=True, text=True)
        return shown.stdout.startswith(part["program"])

    return [part for part in json.loads(file.read_text()) if runs(part)]


def stop_kept(directory: Path) -> str:
    parts = alive(directory)
    for part in reversed(parts):
        end(part["pid"])
    for _ in range(200):
        if not alive(directory):
            break
        time.sleep(0.1)
    (directory / "pids.json").unlink(missing_ok=True)
    return "stopped: " + ", ".join(p["name"] for p in reversed(parts)) if parts else "no demo is running"
