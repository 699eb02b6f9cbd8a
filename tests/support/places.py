"""Places of shards that a test may take away from workers, and give back."""

import secrets
from abc import ABC, abstractmethod
from pathlib import Path

from buckets import BucketServer, make_variables
from tcp_proxy import TcpProxy


class Place(ABC):
    """What workers need to find a place, and how it becomes unavailable.

    Attributes:
        variables: Of the environment, for those who are to use the place.
    """

    variables: dict[str, str]

    @abstractmethod
    def take_away(self) -> None:
        """Let nobody reach it."""

    @abstractmethod
    def give_back(self) -> None:
        """Let everybody reach it again, with all that it had; it may not have been away."""

    @abstractmethod
    def close(self) -> None:
        """End what it needs."""


class DirectoryPlace(Place):
    """A directory, which may not be mounted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.away = root.with_name(f"{root.name}-away")
        self.variables = {"SHOAL_SHARDS_URL": root.as_uri()}

    def take_away(self) -> None:
        """Leave an empty directory, as a mount point is."""
        self.root.rename(self.away)
        self.root.mkdir()

    def give_back(self) -> None:
        """Mount it again."""
        if self.away.exists():
            # What somebody wrote meanwhile is below the mount, and seen by nobody.
            self.root.rename(self.root.with_name(f"{self.root.name}-{secrets.token_hex(4)}"))
            self.away.rename(self.root)

    def close(self) -> None:
        """Need nothing."""


class BucketPlace(Place):
    """A bucket behind a proxy."""

    def __init__(self, server: BucketServer) -> None:
        url = f"s3://bucket-{secrets.token_hex(4)}/of/jobs"
        server.make_bucket(url)
        self.proxy = TcpProxy(server.port)
        self.variables = make_variables(self.proxy.port) | {"SHOAL_SHARDS_URL": url}

    def take_away(self) -> None:
        """Cut all connections."""
        self.proxy.cut("reset")

    def give_back(self) -> None:
        """Mend them."""
        self.proxy.mend()

    def close(self) -> None:
        """End the proxy."""
        self.proxy.close()
