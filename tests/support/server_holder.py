"""Another process that holds the embedded server."""

import subprocess
import sys

from shoal.shared.settings import Settings

HOLD = "\n".join(
    [
        "import sys, pathlib",
        "from shoal.shared.server.embedded import hold_server",
        "from shoal.shared.settings import Settings",
        "with hold_server(Settings(home=pathlib.Path(sys.argv[1]))) as url:",
        "    print(url, flush=True)",
        "    sys.stdin.read()",
    ]
)


def start_holder(settings: Settings) -> tuple["subprocess.Popen[str]", str]:
    """Start a process that holds the server until its standard input closes; return its URL too."""
    command = [sys.executable, "-c", HOLD, str(settings.home)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()
