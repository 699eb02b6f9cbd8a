"""URLs: what is below one in a bucket, and single images."""

from shoal.producer.submission.inputs.found import Found
from shoal.shared.errors import SourceError
from shoal.shared.images.kinds import kind_of, readable_kinds
from shoal.shared.sources.locations import Location
from shoal.shared.sources.open import open_store
from shoal.shared.sources.paths import is_url, scheme_of, split
from shoal.shared.sources.policy import WEB, UrlPolicy, check_secrets


def is_url_pattern(given: str) -> bool:
    """Return whether a URL is meant as a pattern; a key hardly has an asterisk in it."""
    return is_url(given) and "*" in given and scheme_of(given) not in WEB


def refuse_url_pattern(given: str, _: Found) -> str:
    """Say what to give in place of a pattern: nothing of a bucket is matched.

    Raises:
        SourceError: Always.
    """
    check_secrets(given)
    raise SourceError(
        f"{given} is a pattern, and only braces are expanded in URLs: give the part before the"
        " asterisk as a prefix, such as s3://bucket/photos, names with braces, such as"
        " 's3://bucket/shards-{000..099}.tar', or a list of URLs."
    )


def add_url(given: str, found: Found) -> str:
    """Add all images below a URL, or the one that it names.

    Raises:
        SourceError: It may not be read, or cannot be listed.
    """
    scheme, _, rest = given.partition("://")
    url = f"{scheme.lower()}://{rest.rstrip('/')}"
    if not rest.strip("/"):
        raise SourceError(f"{given} names no bucket or server: give it as in s3://bucket/photos.")
    if kind_of(path_of(url)) in readable_kinds():
        add_image_url(url, found)
        return url
    UrlPolicy.of(found.settings).check([url])
    found.reach(url)
    for listed in open_store(url, found.settings).list():
        found.add_located(url, listed.path, Location(listed.size, listed.version))
    return url


def add_image_url(url: str, found: Found) -> None:
    """Add an image by its URL, of which nothing is asked before it is loaded."""
    UrlPolicy.of(found.settings).check([url])
    path = path_of(url)
    # On the web, what has no ending may be an image.
    if (scheme_of(url) in WEB and not kind_of(path)) or found.takes(path.partition("://")[2]):
        base, name = split(url)
        found.add_image(base, name, Location())


def path_of(url: str) -> str:
    """Return a URL without what follows its path on the web."""
    return url.partition("?")[0] if scheme_of(url) in WEB else url
