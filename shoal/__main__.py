"""``python -m shoal`` is ``shoal``, begun so that it answers soon and can be interrupted."""

import atexit
import gc
import signal
import sys

# Objects that are made before Python looks for garbage: 700 by default, at which imports take a
# tenth longer.
GARBAGE_THRESHOLD = 50_000
# redis-py imports the metrics of OpenTelemetry wherever they are installed, an eighth of
# the start, and does without where they cannot be.
UNUSED = "opentelemetry.sdk.metrics"


def main() -> None:
    """Run the command line."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until a command handles it: in the midst of an import, it would end with a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(GARBAGE_THRESHOLD)
    atexit.register(gc.freeze)  # nor look for it once more in the end
    if sys.argv[1:2] != ["serve"]:  # FastAPI can be told to use them
        sys.modules.setdefault(UNUSED, None)  # type: ignore[arg-type]
    from shoal.producer.cli.main import main as run_command

    run_command(prog_name="shoal")


if __name__ == "__main__":
    main()
