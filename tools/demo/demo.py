"""The story of one DmsNetwork, told on real parts: an API server, an AWS emulator and the built controller.

`make demo` runs it. It ends in 0 only if all that it tells has happened. KEEP=1 leaves the parts running.
"""

import argparse
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from parts import Failed, Parts, stop_kept
from show import Page
from story import Story

ROOT = Path(__file__).resolve().parents[2]
DIR = ROOT / "target" / "demo"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--dmsnet", default="target/debug/dmsnet", help="the built binary")
    arguments.add_argument("--tools", default="target/tools", help="where `make tools` puts its parts")
    arguments.add_argument("--stop", action="store_true", help="stop what KEEP=1 left running")
    options = arguments.parse_args()
    page = Page()
    if options.stop:
        page.line(stop_kept(DIR))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keep = os.environ.get("KEEP", "") not in ("", "0")
    started = time.monotonic()
    parts = Parts(ROOT, DIR, Path(options.tools).absolute(), Path(options.dmsnet).absolute(), keep)
    told = False
    try:
        Story(page, parts, keep).tell()
        told = True
        page.line(f"The whole story took {time.monotonic() - started:.0f} s.")
        return 0
    except Failed as failure:
        page.failure(parts.ended() or str(failure), parts.controller_log())
        return 1
    except KeyboardInterrupt:
        page.line("\nInterrupted; stopping all that was started.")
        return 130
    finally:
        if not (keep and told):
            with contextlib.suppress(KeyboardInterrupt):
                parts.stop()


if __name__ == "__main__":
    sys.exit(main())
