"""What deploy/aws makes, as far as it can be tried without AWS: the provider of Terraform cannot be had offline, so the
resources are read from its files, and the same rules and queue are made by hand."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import hcl2
import pytest
from botocore.session import get_session

from conftest import Aws

FOLDER = Path(__file__).resolve().parents[3] / "deploy/aws"
PATTERNS = {name: json.loads((FOLDER / name).read_text()) for name in ("event-pattern.json", "service-event-pattern.json")}
MOST_CHARACTERS = 2048  # of an event pattern, by EventBridge's default quota


def plain(value: Any) -> Any:
    """Without the quotes and the marks that python-hcl2 leaves."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if not str(k).startswith("__")}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value.strip('"') if isinstance(value, str) else value


@pytest.fixture(scope="module")
def terraform() -> dict[str, Any]:
    with open(FOLDER / "main.tf") as file:
        return plain(hcl2.load(file))


def resources(terraform: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(kind, name): body for block in terraform["resource"] for kind, named in block.items() for name, body in named.items()}


def test_every_call_of_the_pattern_exists() -> None:
    operations = {op for service in ("ec2", "dms", "rds") for op in get_session().get_service_model(service).operation_names}
    names = PATTERNS["event-pattern.json"]["detail"]["eventName"]
    assert len(names) == len(set(names))
    assert set(names) <= operations
    assert not [name for name in names if name.startswith(("Describe", "Get", "List"))]


def test_patterns_are_short_enough() -> None:
    for name, pattern in PATTERNS.items():
        assert len(json.dumps(pattern, separators=(",", ":"))) <= MOST_CHARACTERS, name


def test_terraform_makes_both_rules_and_lets_only_them_send(terraform: dict[str, Any]) -> None:
    made = resources(terraform)
    assert set(terraform["locals"][0]["rules"].values()) == set(PATTERNS)
    assert {kind for kind, _ in made} == {
        "aws_sqs_queue", "aws_sqs_queue_policy", "aws_sqs_queue_redrive_allow_policy", "aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"}
    assert made["aws_sqs_queue", "changes"]["visibility_timeout_seconds"] >= 60
    allow, deny = terraform["data"][0]["aws_iam_policy_document"]["changes"]["statement"]
    assert allow["actions"] == ["sqs:SendMessage"] and allow["principals"][0]["identifiers"] == ["events.amazonaws.com"]
    assert allow["condition"][0]["test"] == "ArnEquals" and allow["condition"][0]["variable"] == "aws:SourceArn"
    assert deny["effect"] == "Deny" and deny["condition"][0]["variable"] == "aws:SecureTransport"


@pytest.mark.skipif(not shutil.which("terraform"), reason="there is no terraform")
def test_it_is_formatted() -> None:
    assert subprocess.run(["terraform", "fmt", "-check", "-diff", str(FOLDER)], capture_output=True, text=True).returncode == 0


def test_what_matters_reaches_the_queue(aws: Aws) -> None:
    url = aws.sqs.create_queue(QueueName="changes")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for number, pattern in enumerate(PATTERNS.values()):
        aws.events.put_rule(Name=f"changes-{number}", EventPattern=json.dumps(pattern))
        aws.events.put_targets(Rule=f"changes-{number}", Targets=[{"Id": "queue", "Arn": arn}])
    call = {"eventSource": "ec2.amazonaws.com", "eventName": "RevokeSecurityGroupIngress", "requestParameters": {"groupId": "sg-0a1b2c3d"}}
    put(aws, "aws.ec2", "AWS API Call via CloudTrail", call | {"errorCode": "Client.UnauthorizedOperation"})
    put(aws, "aws.ec2", "AWS API Call via CloudTrail", call | {"eventName": "RunInstances"})
    put(aws, "aws.ec2", "EC2 Instance State-change Notification", {"state": "running"})
    put(aws, "aws.ec2", "AWS API Call via CloudTrail", call)
    put(aws, "aws.rds", "RDS DB Instance Event", {"EventCategories": ["failover"]})
    bodies: list[dict[str, Any]] = []
    deadline = time.monotonic() + 10
    while len(bodies) < 2 and time.monotonic() < deadline:
        bodies += [json.loads(m["Body"]) for m in aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]
    assert sorted(body["detail-type"] for body in bodies) == ["AWS API Call via CloudTrail", "RDS DB Instance Event"]
    assert [b["detail"] for b in bodies if b["source"] == "aws.ec2"] == [call]


def test_what_is_received_too_often_goes_to_the_dead_letter_queue(aws: Aws) -> None:
    """SQS moves it when it would be received once more than maxReceiveCount (SQS Developer Guide, dead-letter queues)."""
    dead = aws.sqs.create_queue(QueueName="changes-dead")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = aws.sqs.create_queue(QueueName="changes", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    aws.sqs.send_message(QueueUrl=url, MessageBody="m")
    for _ in range(2):
        assert [m["Body"] for m in aws.sqs.receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]] == ["m"]
        assert "Messages" not in aws.sqs.receive_message(QueueUrl=url), "it is hidden"
        assert aws.control("POST", "queues/changes/show", {"account": aws.account, "region": aws.region}) == {"name": "changes", "shown": 1}
    assert "Messages" not in aws.sqs.receive_message(QueueUrl=url)
    assert [m["Body"] for m in aws.sqs.receive_message(QueueUrl=dead)["Messages"]] == ["m"]


def put(aws: Aws, source: str, kind: str, detail: dict[str, Any]) -> None:
    answer = aws.events.put_events(Entries=[{"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}])
    assert answer["FailedEntryCount"] == 0, answer
