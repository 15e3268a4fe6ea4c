"""The front door: who asks what, does a fault strike, who answers, and a line in the log."""

import json
import re
import sys
import time
import traceback
from functools import cache
from typing import Any
from urllib.parse import unquote_plus

from botocore.session import get_session

from . import accounts, wire
from .calls import CallLog, is_mutating
from .control import Control
from .errors import AwsError
from .faults import Fault, Faults
from .history import History
from .moto_service import MotoService
from .registry import AFTER_MOTO, OPERATIONS, Call
from .server import Answer, Request
from .world import LOCK, WORLD

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]+)")
ERROR_CODE = re.compile(rb"<Code>([^<]*)</Code>")
ERROR_TYPE = re.compile(rb'"__type"\s*:\s*"(?:[^"#]*#)?([^"]*)"')
REQUEST_ID = re.compile(rb"<[rR]equest(?:Id|ID)>([^<]*)<")
STATEFUL = {"ec2", "dms", "rds", "sts"}  # answered one at a time; others may wait inside moto (SQS long polls)


class Front:
    def __init__(self, verbose: bool = False) -> None:
        from . import operations

        operations.load()
        self.moto = MotoService()
        self.log, self.faults, self.history = CallLog(), Faults(), History()
        self.control = Control(self)
        self.verbose = verbose

    def handle(self, request: Request) -> Answer:
        if request.path.startswith("/_emulator/"):
            return self.control.answer(request)
        started, clock = time.time(), time.perf_counter()
        call = identify(request)
        faults = self.faults.struck(call.service, call.operation, call.account, call.region,
                                    lambda: unquote_plus(request.body.decode("utf-8", "replace")))
        answer, code = self.answer_with(faults, call, request)
        self.log.add(
            at=started, account=call.account, region=call.region, service=call.service, operation=call.operation,
            body=request.body, is_json="json" in (request.headers.get("Content-Type") or ""), status=answer.status,
            code=code, agent=request.headers.get("User-Agent") or "", access_key=call.access_key,
            host=request.headers.get("Host") or "", signature=(request.headers.get("Authorization") or "").partition(" ")[0],
            session_token=bool(request.headers.get("X-Amz-Security-Token")),
            duration_ms=round((time.perf_counter() - clock) * 1000, 3), fault=faults[-1].id if faults else "",
            request_id=request_id_in(answer),
        )
        if self.verbose:
            print(f"{call.account} {call.region} {call.service}:{call.operation} {answer.status} {code}", file=sys.stderr)
        return answer

    # ------------------------------------------------------------------ faults

    def answer_with(self, faults: list[Fault], call: Call, request: Request) -> tuple[Answer, str]:
        for fault in faults:
            if fault.kind == "delay":
                time.sleep(fault.seconds)
            elif fault.kind == "timeout":
                time.sleep(fault.seconds)
                return Answer(0, hang_up=fault.how), "Timeout"
            elif fault.kind == "reset":
                return Answer(0, hang_up="reset"), "ConnectionReset"
            elif fault.kind == "lost_answer":
                self.answer(call, request)
                return Answer(0, hang_up=fault.how), "LostAnswer"
            elif fault.kind == "stale":
                return self.stale_answer(fault, call, request)
            else:
                error = fault.error(call.service, call.operation)
                return error_answer(call.service, error), error.code
        return self.answer(call, request)

    def stale_answer(self, fault: Fault, call: Call, request: Request) -> tuple[Answer, str]:
        if not is_mutating(call.operation):
            self.answer(call, request)  # so that what is true now is remembered for those who ask later
            with LOCK:
                past = self.history.past(question(call, request), fault.seconds)
            if past is not None:
                return past, ""
        return self.answer(call, request)

    # ----------------------------------------------------------------- answers

    def answer(self, call: Call, request: Request) -> tuple[Answer, str]:
        try:
            refuse_unknown_region(call)
            if call.service not in STATEFUL:
                answer = self.moto_answer(call, request)
            else:
                with LOCK:
                    WORLD.settle()
                    self.history.note(WORLD.version)
                    answer = self.own_answer(call, request)
                    if is_mutating(call.operation):
                        WORLD.version += 1
                        self.history.note(WORLD.version)
                    elif answer.status == 200:
                        self.history.keep(question(call, request), WORLD.version, answer)
        except AwsError as error:
            return error_answer(call.service, error), error.code
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            return error_answer(call.service, AwsError("InternalError", f"the emulator failed: {error!r}", 500)), "InternalError"
        return answer, code_in(answer)

    def own_answer(self, call: Call, request: Request) -> Answer:
        handler = OPERATIONS.get((call.service, call.operation))
        if call.service == "ec2":
            if handler is None:
                return self.moto_ec2_answer(call, request)
            call.params = wire.ec2_params(call.operation, wire.flat_params(request.body))
            refuse_dry_run(call.params.get("DryRun"))
            return Answer(200, wire.XML, wire.ec2_answer(call.operation, handler(call)))
        if call.service == "dms":
            if handler is None:
                raise AwsError("UnsupportedOperation", f"The emulator does not have dms:{call.operation}")
            call.params = json.loads(request.body or b"{}")
            return Answer(200, wire.JSON, json.dumps(handler(call) or {}).encode())
        if handler is not None:
            call.params = wire.flat_params(request.body)
            return Answer(200, wire.XML, handler(call)["xml"].encode())  # type: ignore[index]
        return self.moto_answer(call, request)

    def moto_ec2_answer(self, call: Call, request: Request) -> Answer:
        if call.operation not in wire.service_model("ec2").operation_names:
            raise AwsError("InvalidAction", f"The action {call.operation} is not valid for this web service.")
        refuse_dry_run(wire.flat_params(request.body).get("DryRun") == "true")
        answer = self.moto_answer(call, request)
        if answer.status == 200 and call.operation in AFTER_MOTO:
            AFTER_MOTO[call.operation](call)
        return answer

    def moto_answer(self, call: Call, request: Request) -> Answer:
        status, content_type, body, headers = self.moto.answer(request, call.account)
        return Answer(status, content_type, body, headers)


def refuse_unknown_region(call: Call) -> None:
    """AWS takes no signature for a Region that it does not have."""
    if call.region in regions():
        return
    message = f"Credential should be scoped to a valid region, not '{call.region}'."
    if call.service == "ec2":
        raise AwsError("AuthFailure", message, 401)
    code, status = ("InvalidSignatureException", 400) if call.service in wire.JSON_SERVICES else ("SignatureDoesNotMatch", 403)
    raise AwsError(code, message, status)


@cache
def regions() -> frozenset[str]:
    session = get_session()
    return frozenset(name for partition in session.get_available_partitions() for name in session.get_available_regions("ec2", partition))


def refuse_dry_run(dry_run: Any) -> None:
    if dry_run:
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)


def question(call: Call, request: Request) -> tuple[str, str, str, str, bytes]:
    return call.account, call.region, call.service, call.operation, request.body


def error_answer(service: str, error: AwsError) -> Answer:
    status, content_type, body = wire.error_answer(service, error)
    return Answer(status, content_type, body)


def code_in(answer: Answer) -> str:
    if answer.status < 400:
        return ""
    found = ERROR_CODE.search(answer.body) or ERROR_TYPE.search(answer.body)
    return found.group(1).decode() if found else ""


def request_id_in(answer: Answer) -> str:
    """As CloudTrail would tell it."""
    found = REQUEST_ID.search(answer.body)
    return found.group(1).decode() if found else ""


def identify(request: Request) -> Call:
    """From the signature, or, for the few calls that are not signed, from the body."""
    headers = request.headers
    found = CREDENTIAL.search(headers.get("Authorization") or "")
    access_key, region, service = found.groups() if found else ("", "us-east-1", "")
    target = headers.get("X-Amz-Target")
    if target:
        name = target.rpartition(".")[2]
    elif action := ACTION.search(request.body):
        name = action.group(1).decode()
        service = service or "sts"
    else:
        name = f"{request.method} {request.path.partition('?')[0]}"
    account = accounts.account_of(access_key, headers.get("x-moto-account-id"))
    return Call(service.lower(), name, region, account, access_key=access_key)
