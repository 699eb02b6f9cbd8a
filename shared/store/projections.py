"""New images that a worker projects on a job's components: what is asked, and what is answered.

Both are kept for a few minutes, under a token of the question.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from shoal.shared.findings import FailureReason
from shoal.shared.redis.connection import RedisClient
from shoal.shared.store.keys import JobKeys
from shoal.shared.wire import decode, encode

# After this time, nobody waits any more for what was asked.
KEPT_SECONDS = 600
ATTEMPTS = "attempts:"
KIND = "kind:"


@dataclass(frozen=True)
class NewImage:
    """The content of an image file, and its kind: the extension of its name."""

    content: bytes
    kind: str = ""


@dataclass(frozen=True)
class Projection:
    """What became of one image.

    Attributes:
        coordinates: Its principal components, float32; empty if it cannot be used.
        reason: Why it cannot be used.
        detail: The same in words.
    """

    coordinates: bytes = b""
    reason: FailureReason | None = None
    detail: str = ""


@dataclass(frozen=True)
class Answer:
    """What a worker answers: a projection of each image, or why there is none of any."""

    projections: list[Projection]
    error: str = ""


class Projections:
    """The questions about new images of one job, and the answers."""

    def __init__(self, client: RedisClient, job_id: str) -> None:
        self.client = client
        self.keys = JobKeys(job_id)

    def ask(self, images: Sequence[NewImage]) -> str:
        """Store images for a worker; return the token of the question."""
        token = secrets.token_hex(8)
        key = self.keys.question(token)
        # In one step: what an interrupt leaves half sent must not stay for good.
        with self.client.pipeline(transaction=True) as pipe:
            for number, image in enumerate(images):
                pipe.hset(key, mapping={str(number): image.content, KIND + str(number): image.kind})
                pipe.expire(key, KEPT_SECONDS)
            pipe.execute()
        return token

    def images(self, token: str) -> list[NewImage]:
        """Return the images of a question; none if it has expired, or nobody waits any more."""
        fields = self.client.hgetall(self.keys.question(token))
        numbers = range(sum(name.isdigit() for name in fields))
        return [
            NewImage(fields[b"%d" % n], fields[f"{KIND}{n}".encode()].decode()) for n in numbers
        ]

    def claim(self, token: str, message_id: str, seconds: float) -> bool:
        """Claim a question for a process; return whether no other process has it.

        A message that is delivered again has lost its process, and claims what that had.
        """
        key = self.keys.claim(token)
        if self.client.set(key, message_id, nx=True, ex=ceil(seconds)):
            return True
        return self.client.get(key) == message_id.encode() and self.renew_claim(token, seconds)

    def renew_claim(self, token: str, seconds: float) -> bool:
        """Keep a question that was claimed; return whether somebody still waits for the answer."""
        return self.client.expire(self.keys.claim(token), ceil(seconds))

    def count_attempt(self, token: str, number: int) -> int:
        """Count that an image is begun; return how often it was, this time included."""
        key = self.keys.question(token)
        with self.client.pipeline(transaction=False) as pipe:
            # Nobody may wait any more: what this makes anew must expire, too.
            pipe.hincrby(key, f"{ATTEMPTS}{number}", 1).expire(key, KEPT_SECONDS)
            attempts, _ = pipe.execute()
        return int(attempts)

    def end_attempt(self, token: str, number: int) -> None:
        """Note that an image did not end its process: it is not counted any more."""
        self.client.hdel(self.keys.question(token), f"{ATTEMPTS}{number}")

    def answer(self, token: str, answer: Answer) -> None:
        """Store the answer to a question."""
        self.client.set(self.keys.answer(token), encode(answer), ex=KEPT_SECONDS)

    def find_answer(self, token: str) -> Answer | None:
        """Return the answer to a question; None if there is none yet."""
        raw = self.client.get(self.keys.answer(token))
        return decode(raw, Answer) if raw else None

    def withdraw(self, token: str) -> None:
        """Delete a question and its answer."""
        keys = self.keys
        self.client.unlink(keys.question(token), keys.answer(token), keys.claim(token))
