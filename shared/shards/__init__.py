"""Shards: what is large, kept under a name beside what Redis must change in one step.

A place keeps shards: ``files`` in a directory, ``redis`` in the Redis of the jobs. ``place`` says
what each must do.
"""

from shoal.shared.shards.files import FileShards
from shoal.shared.shards.place import Shards, find_id
from shoal.shared.shards.redis import RedisShards

__all__ = ["FileShards", "RedisShards", "Shards", "find_id"]
