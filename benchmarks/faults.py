"""What random faults cost: images accounted for, labels, seconds.

``python -m benchmarks.faults --seeds 20`` lets the fault suite strike a job of 300 batches
once a seed, with shards in Redis, in files and in a bucket: processes and Redis are killed,
connections cut, shards taken away, about a fault a second. It takes three quarters of an hour, and
the figures are written to ``benchmarks/figures/``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import FIGURES

SUITE = "tests/e2e/faults/test_chaos.py"
# Where shards are: the suite goes through all seeds with each.
PLACES = 3


def strike(seeds: int, accounts: Path) -> int:
    """Let the suite go through ``seeds`` mixtures of faults; return how many jobs it failed."""
    command = [sys.executable, "-m", "pytest", SUITE, "-m", "soak", "-q"]
    subprocess.run([*command, f"--seeds={seeds}", f"--accounts={accounts}"], check=False)
    return seeds * PLACES - len(read_accounts(accounts))


def read_accounts(accounts: Path) -> list[dict[str, Any]]:
    """Return what the suite noted of each job that ended as if undisturbed."""
    return [json.loads(line) for line in accounts.read_text().splitlines()]


def sum_up(accounts: list[dict[str, Any]], failed: int) -> dict[str, Any]:
    """Return the figures of all jobs together."""
    faults = sum((Counter(account["faults"]) for account in accounts), Counter[str]())
    images = [account["images"] for account in accounts]
    jobs = len(accounts) + failed
    return {
        "jobs": jobs,
        "jobs_with_equal_labels": len(accounts),
        "faults": dict(faults),
        "images": jobs * images[0]["total"],
        "images_accounted_for": sum(image["loaded"] + image["failed"] for image in images),
        "seconds_median": round(statistics.median(account["seconds"] for account in accounts), 2),
    }


def main() -> None:
    """Strike and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        accounts = Path(directory) / "accounts.jsonl"
        accounts.touch()
        failed = strike(options.seeds, accounts)
        figures = sum_up(read_accounts(accounts), failed)
    print(json.dumps(figures))
    (FIGURES / "faults.json").write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
