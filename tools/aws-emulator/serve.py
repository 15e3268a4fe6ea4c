"""Starts the AWS emulator: python tools/aws-emulator/serve.py --port 0 --ready-file FILE"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from emulator.__main__ import main  # noqa: E402

if __name__ == "__main__":
    main()
