"""Speed of loading from a bucket whose answers take 50 ms longer, beside the same without that.

``python -m benchmarks.buckets --images 20000`` serves the photographs by nginx, which answers as a
bucket does to those who list and read it, behind a proxy that adds the delay. Two workers run jobs
without and with it in turn, A B A B, on one machine in one run. The figure is the median of ratios
of loading, which do not drift with the machine's load as seconds do.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen
from xml.sax.saxutils import escape

from benchmarks import FIGURES
from benchmarks.photographs import make_photographs
from benchmarks.pipeline import started_workers, time_job
from shoal.producer.client import Client

DELAY_SECONDS = 0.05
SERVER_PORT, PROXY_PORT = 18_777, 18_778
URL = "s3://bucket"
CONFIGURATION = """
{user} worker_processes 1; daemon off; pid {home}/nginx.pid; error_log {home}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi; uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /bucket/ {{ alias {files}/; }}
    location = /bucket {{ default_type application/xml; alias {home}/list.xml; }}
    location = /list.xml {{ root {home}; }}
  }}
}}
"""


def write_list(directory: Path, path: Path) -> None:
    """Write all that a bucket answers to who lists it, with the ETags that nginx will give."""
    with path.open("w") as file:
        file.write("<ListBucketResult><IsTruncated>false</IsTruncated>")
        for found in sorted(directory.rglob("*.jpg")):
            status, key = found.stat(), found.relative_to(directory)
            tag = escape(f'"{int(status.st_mtime):x}-{status.st_size:x}"', {'"': "&quot;"})
            file.write(
                f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                f"<ETag>{tag}</ETag><Size>{status.st_size}</Size></Contents>"
            )
        file.write("</ListBucketResult>")


@contextmanager
def serving(directory: Path, home: Path) -> Iterator[None]:
    """Serve the files of a directory as the objects of a bucket."""
    write_list(directory, home / "list.xml")
    user = "user root;" if os.geteuid() == 0 else ""
    text = CONFIGURATION.format(user=user, home=home, files=directory.absolute(), port=SERVER_PORT)
    (home / "nginx.conf").write_text(text)
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    process = subprocess.Popen(
        [nginx, "-p", home, "-e", home / "error.log", "-c", home / "nginx.conf"]
    )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{SERVER_PORT}/bucket"):
                break
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def proxied() -> Iterator[Callable[[float], None]]:
    """Start the proxy; yield what sets its delay in seconds."""
    command = [sys.executable, "-m", "benchmarks.slow_proxy", str(PROXY_PORT), str(SERVER_PORT)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        answers = process.stdout
        answers.readline()

        def set_delay(seconds: float) -> None:
            print(seconds, file=process.stdin, flush=True)
            answers.readline()

        try:
            yield set_delay
        finally:
            process.kill()


def compare(
    client: Client, set_delay: Callable[[float], None], count: int, rounds: int
) -> dict[str, float]:
    """Return the rates without and with the delay, and the median share of the one in the other."""
    near, far, shares = list[float](), list[float](), list[float]()
    for number in range(rounds):
        for seconds, delay in ((near, 0.0), (far, DELAY_SECONDS)):
            set_delay(delay)
            seconds.append(time_job(client, URL, random_state=number)["loading"])
        shares.append(near[-1] / far[-1])
        print(f"near {near[-1]:.2f} s, far {far[-1]:.2f} s, {shares[-1]:.3f}", flush=True)
    return {
        "images": count,
        "delay_ms": DELAY_SECONDS * 1000,
        "near_images_per_second": round(count / statistics.median(near)),
        "far_images_per_second": round(count / statistics.median(far)),
        "share": round(statistics.median(shares), 3),
    }


def main() -> None:
    """Compare and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--photographs", type=Path, default=Path(".benchmarks"))
    options = parser.parse_args()
    directory = make_photographs(options.photographs / str(options.images), options.images)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PROXY_PORT}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(serving(directory, home))
        set_delay = stack.enter_context(proxied())
        client = stack.enter_context(started_workers(home / "shoal"))
        figures = compare(client, set_delay, options.images, options.rounds)
    print(figures)
    FIGURES.mkdir(exist_ok=True)
    (FIGURES / "buckets.json").write_text(json.dumps([figures], indent=1) + "\n")


if __name__ == "__main__":
    main()
