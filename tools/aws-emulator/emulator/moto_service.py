"""The way to moto, for every operation that we do not answer ourselves."""

import io
import os
import re
import sys
import traceback
from typing import Any
from urllib.parse import unquote_to_bytes

from .errors import AwsError

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
# moto itself never leaves this machine, whatever the caller's environment says.
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

KEPT_HEADERS = ("x-amz", "etag", "location", "last-modified")


def load_moto_fast() -> None:
    """Half of moto's start is one session per partition and the price list of instances: one session, and no list, do."""
    from unittest.mock import patch

    import boto3
    import moto.utilities.utils as utilities

    session, load = boto3.Session(), utilities.load_resource
    with (
        patch.object(boto3, "Session", lambda: session),
        patch.object(utilities, "load_resource", lambda name: [] if "instance_type_offerings" in name else load(name)),
    ):
        import moto.ec2.models  # noqa: F401


class MotoService:
    def __init__(self) -> None:
        load_moto_fast()
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        from . import tags

        self._app = DomainDispatcherApplication(create_backend_app)
        tags.make_moto_fast()

    def answer(self, request: Any, account: str | None) -> tuple[int, str, bytes, list[tuple[str, str]]]:
        """Raises AwsError for what moto has not implemented, instead of its HTML page."""
        seen: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            seen["status"], seen["headers"] = int(status.split()[0]), headers

        try:
            body = b"".join(self._app(environ(request, account), start_response))
        except NotImplementedError as error:
            raise not_implemented(error) from None
        except AwsError:
            raise
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            raise AwsError("InternalError", f"the emulator failed: {error!r}", 500) from None
        headers = {name.lower(): value for name, value in seen["headers"]}
        kept = [(name, value) for name, value in headers.items() if name.startswith(KEPT_HEADERS)]
        return seen["status"], headers.get("content-type", ""), body, kept


def not_implemented(error: NotImplementedError) -> AwsError:
    text = str(error)
    if match := re.search(r"The filter '([^']+)'", text):
        return AwsError("InvalidParameterValue", f"The filter '{match.group(1)}' is invalid")
    return AwsError("UnsupportedOperation", f"The emulator does not have this: {text}")


def environ(request: Any, account: str | None) -> dict[str, Any]:
    path, _, query = request.path.partition("?")
    host, port = request.server[:2]
    result: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": request.path,
        "RAW_URI": request.path,
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            result[key] = value
        elif key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            result[f"HTTP_{key}"] = value
    if account:
        result["HTTP_X_MOTO_ACCOUNT_ID"] = account
    return result
