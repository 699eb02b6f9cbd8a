"""A web server of files, nginx, as a process of its own."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from polling import wait_until
from servers import find_free_port

# Its processes give up the rights of root otherwise, and cannot read what a test has written.
USER = "user root;" if os.geteuid() == 0 else ""
CONFIGURATION = """
worker_processes 1; daemon off; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; root {directory}/files;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /whole/ {{ alias {directory}/files/; max_ranges 0; }}
    location /chunks/ {{ alias {directory}/files/; ssi on; ssi_types *; }}
    location /slow/ {{ alias {directory}/files/; limit_rate 2000; }}
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}
    location /to-metadata/ {{ return 302 http://169.254.169.254/latest/meta-data/; }}
    location /to-other-port/ {{ return 302 http://localhost:{port}/a.jpg; }}
    location /circle/ {{ return 302 /circle/; }}
    location /denied/ {{ return 403; }}
    location /busy/ {{ return 503; }}
    location /broken/ {{ return 500; }}
  }}
}}
"""


class FileServer:
    """Serves ``directory/files`` until it is stopped; skips a test where nginx is missing."""

    def __init__(self, directory: Path) -> None:
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if nginx is None and not os.environ.get("CI"):
            pytest.skip("nginx is not installed")
        self.files = directory / "files"
        self.files.mkdir(parents=True)
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        configuration = directory / "nginx.conf"
        configuration.write_text(USER + CONFIGURATION.format(directory=directory, port=self.port))
        self.process = subprocess.Popen(
            [nginx or "nginx", "-p", directory, "-e", directory / "error.log", "-c", configuration],
            stdin=subprocess.DEVNULL,
        )
        wait_until(self.answers, what="nginx answers")

    def answers(self) -> bool:
        """Return whether it can be used."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait()
