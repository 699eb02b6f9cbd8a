"""A Redis behind TLS: the same commands and workers, with ``rediss://``."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from servers import Server
from shoal_command import FinishedRun, Shoal
from worker_process import Worker


class TlsServer(Server):
    """A server that speaks TLS only, with a certificate of its own making."""

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}/0?ssl_ca_certs={self.directory / 'cert.pem'}"

    def options(self) -> dict[str, str]:
        certificate, key = make_certificate(self.directory)
        tls = {"tls-port": str(self.port), "port": "0", "tls-auth-clients": "no"}
        files = {"tls-cert-file": str(certificate), "tls-key-file": str(key)}
        return super().options() | tls | files | {"tls-ca-cert-file": str(certificate)}


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Return a certificate for this machine, signed by itself, and its key."""
    certificate, key = directory / "cert.pem", directory / "key.pem"
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    new = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run(
        [*new, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    return certificate, key


@pytest.fixture
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = TlsServer("redis-server", tmp_path_factory.mktemp("tls"))
    server.start()
    yield server
    server.stop()


def test_a_job_behind_tls_is_labelled_as_in_embedded_mode(
    tls_server: Server, embedded_run: FinishedRun, tmp_path: Path
) -> None:
    shoal = Shoal(tmp_path / "client", SHOAL_REDIS_URL=tls_server.url)
    with Worker(shoal.elsewhere(tmp_path / "worker")):
        job = shoal.submit(embedded_run.source)
        assert shoal.json("wait", job)["state"] == "finished"
    assert shoal.output("result", job) == (embedded_run.out / "labels.csv").read_text()


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tls_server: Server, tmp_path: Path
) -> None:
    url = tls_server.url.partition("?")[0]
    done = Shoal(tmp_path, SHOAL_REDIS_URL=url).run("jobs")
    assert done.returncode == 1
    assert "certificate" in done.stderr
    assert Redis.from_url(tls_server.url).dbsize() == 0
