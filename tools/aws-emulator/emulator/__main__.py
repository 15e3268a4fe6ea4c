"""The command line: starts the server, says where it listens, stops with its parent."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="aws-emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--ready-file", type=Path, help="file that gets the URL once the server answers")
    parser.add_argument("--stop-on-stdin-close", action="store_true", help="exit when stdin is closed")
    parser.add_argument("--verbose", action="store_true", help="print a line for every call")
    args = parser.parse_args()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    if args.stop_on_stdin_close:
        threading.Thread(target=exit_when_stdin_closes, daemon=True).start()

    from .server import Server

    server = Server(args.host, args.port, verbose=args.verbose)
    if args.ready_file:
        write_at_once(args.ready_file, server.url)
    print(f"ready {server.url}", flush=True)
    server.serve_forever(poll_interval=3600)


def exit_when_stdin_closes() -> None:
    while sys.stdin.buffer.read1(4096):
        pass
    os._exit(0)


def write_at_once(path: Path, text: str) -> None:
    """A reader that polls for the file never sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


if __name__ == "__main__":
    main()
