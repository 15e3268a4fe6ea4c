"""The process: free port, ready file, keep-alive, and an end with its parent."""

import http.client
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from conftest import SERVE, Aws, cidr, start, tcp


def test_it_ends_with_its_parents_stdin(tmp_path):
    process, url = start(tmp_path)
    assert url.startswith("http://127.0.0.1:") and process.poll() is None
    process.stdin.close()
    assert process.wait(5) == 0


def test_it_says_where_and_obeys_sigterm():
    process = subprocess.Popen([sys.executable, str(SERVE)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("ready http://127.0.0.1:")
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(5) == 0
    process.stdout.close()


def test_it_starts_fast(tmp_path):
    began = time.monotonic()
    process, _ = start(tmp_path)
    took = time.monotonic() - began
    process.stdin.close()
    process.wait(5)
    assert took < 10, f"{took:.1f} s"


def test_one_connection_serves_many_calls(url):
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    for _ in range(3):
        connection.request("GET", "/_emulator/health")
        answer = connection.getresponse()
        assert answer.read() == b'{"status": "ok"}' and answer.version == 11
        assert answer.getheader("Connection") is None
    socket = connection.sock
    connection.request("GET", "/_emulator/nonsense")
    assert connection.getresponse().status == 404 and connection.sock is socket
    connection.close()


def test_chunked_bodies(url):
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    connection.request("POST", "/_emulator/delays", body=iter([b"{", b"}"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 200
    connection.close()


def test_many_writers_at_once(aws, net):
    group = net["securityGroupIds"]["target"]

    def write(n):
        aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(n, **cidr("10.0.0.0/8"))])

    aws.ec2.describe_vpcs()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert len(aws.state()["securityGroups"][group]["ingress"]) == 40


def test_a_seed_gives_the_same_ids(tmp_path):
    process, url = start(tmp_path)
    seen = []
    for _ in range(2):
        aws = Aws(url, "777788889999")
        aws.control("POST", "reset", {"seed": 42})
        net = aws.topology()
        seen.append((net, aws.group(net["vpcId"], "g")))
    process.stdin.close()
    process.wait(5)
    assert seen[0] == seen[1]
