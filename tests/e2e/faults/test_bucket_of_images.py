"""A bucket or an archive of images fails, changes or loses them while a job reads from it."""

import secrets
import signal
from collections.abc import Iterator, Mapping
from csv import DictReader
from pathlib import Path

import archives
import pytest
from bucket_gate import BucketGate
from buckets import BucketServer, make_variables
from fault_site import QUICK, Site
from polling import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
# Images, of 120, and what became of them.
REPLACED, DELETED = "001-1.png", "017-2.png"
CHANGED = "its content is another one than when the job was submitted"


@pytest.fixture(scope="module")
def gate(bucket_server: BucketServer) -> Iterator[BucketGate]:
    gate = BucketGate(bucket_server.port)
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def site_of_buckets(gate: BucketGate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that reaches buckets through the gate."""
    settings = QUICK | make_variables(gate.port)
    site = Site(tmp_path_factory.mktemp("site"), place=None, **settings)
    yield site
    site.close()


@pytest.fixture
def site(site_of_buckets: Site, gate: BucketGate) -> Iterator[Site]:
    yield site_of_buckets
    gate.fault = ""
    site_of_buckets.disarm()


@pytest.fixture(scope="module")
def contents(images: Path) -> dict[str, bytes]:
    return archives.as_folder(images)


@pytest.fixture
def bucket(bucket_server: BucketServer, contents: Mapping[str, bytes]) -> str:
    """A bucket with the small images."""
    url = f"s3://images-{secrets.token_hex(4)}/of/somebody"
    bucket_server.make_bucket(url)
    for name, content in contents.items():
        bucket_server.put(url, name, content)
    return url


@pytest.fixture(scope="module")
def undisturbed(site_of_buckets: Site, images: Path) -> str:
    """The labels that the same images have in a folder, without a fault."""
    site_of_buckets.staff(2)
    job = site_of_buckets.submit(images)
    site_of_buckets.check_accounts(job)
    return site_of_buckets.shoal.output("result", job)


def strike(gate: BucketGate, fault: str, n_requests: int = 20) -> None:
    """Let a fault strike so many requests."""
    gate.fault = fault
    struck = gate.n_struck
    wait_until(lambda: gate.n_struck >= struck + n_requests, 60, f"the bucket was {fault}")


def read_failures(site: Site, job: str) -> dict[str, tuple[str, str]]:
    rows = DictReader(site.shoal.output("failures", job).splitlines())
    return {row["path"]: (row["reason"], row["detail"]) for row in rows}


def test_a_bucket_that_fails_in_each_way_and_lost_workers_cost_nothing(
    site: Site, gate: BucketGate, undisturbed: str, bucket: str
) -> None:
    first, second = site.staff(2)
    site.keep_pace(0.1)
    job = site.submit(bucket)
    site.wait_until_loaded(job, 0.1)
    strike(gate, "cut")
    strike(gate, "away")
    first.lose()
    second.process.send_signal(signal.SIGTERM)
    second.process.wait(60)  # though the requests that it has sent get no answer
    gate.fault = "busy"
    site.staff(2)
    strike(gate, "busy")
    gate.fault = ""
    site.check(job, undisturbed)


def test_expired_credentials_are_told_and_waited_for(
    site: Site, gate: BucketGate, undisturbed: str, bucket: str
) -> None:
    site.staff(2)
    held = site.arm("loading-paced", "hold")
    job = site.submit(bucket)
    wait_until(held.exists, 30, "a batch is loaded")
    gate.fault = "expired"
    held.unlink()
    ledger = site.ledger(job)
    wait_until(lambda: "credentials have expired. Renew them" in ledger.refusal(), 30)
    assert "a secret" not in ledger.refusal()
    gate.fault = ""
    site.check(job, undisturbed)


def test_a_cancelled_job_lets_go_of_a_bucket_that_does_not_answer(
    site: Site, gate: BucketGate, undisturbed: str, bucket: str, images: Path
) -> None:
    site.staff(1)
    site.keep_pace(0.1)
    job = site.submit(bucket)
    site.wait_until_loaded(job, 0.1)
    strike(gate, "away")
    assert site.shoal.json("cancel", job)["state"] == "cancelled"
    site.check(site.submit(images), undisturbed)  # while nothing answers yet
    gate.fault = ""
    site.shoal.output("retry", job)
    site.check_accounts(job)
    assert site.shoal.output("result", job) == undisturbed


def test_objects_that_are_replaced_or_deleted_fail_until_they_are_back(
    site: Site,
    bucket_server: BucketServer,
    undisturbed: str,
    bucket: str,
    contents: Mapping[str, bytes],
) -> None:
    site.staff(0)
    job = site.submit(bucket)
    bucket_server.put(bucket, REPLACED, contents[DELETED])
    bucket_server.delete(bucket, DELETED)
    site.staff(2)
    site.check_accounts(job)
    failures = {
        REPLACED: ("changed", CHANGED),
        DELETED: ("missing", "there is no such object"),
    }
    assert read_failures(site, job) == failures
    for name in failures:
        bucket_server.put(bucket, name, contents[name])
    site.shoal.output("retry", job, "--failed-only")
    assert site.shoal.json("wait", job)["images"]["failed"] == 0
    assert site.shoal.output("result", job) == undisturbed


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_of_an_archive_that_is_rewritten_each_image_is_the_old_one_or_a_failure(
    site: Site, undisturbed: str, contents: Mapping[str, bytes], tmp_path: Path, kind: str
) -> None:
    make = archives.make_zip if kind == "zip" else archives.make_tar
    archive = make(tmp_path / f"a.{kind}", contents)
    site.staff(2)
    site.keep_pace(0.1)
    job = site.submit(archive)
    site.wait_until_loaded(job, 0.2)
    make(archive, dict(reversed(list(contents.items())))).touch()
    site.check_accounts(job)
    failures = read_failures(site, job)
    assert set(failures.values()) == {("changed", CHANGED)}
    labelled = [line.partition(",")[0] for line in site.shoal.output("result", job).splitlines()]
    assert sorted([*failures, *labelled[1:]]) == sorted(contents)
    site.disarm()
    site.check(site.submit(archive), undisturbed)  # anew, in another order of members
