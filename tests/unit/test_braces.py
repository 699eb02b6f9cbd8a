import pytest

from shoal.producer.submission.braces import expand_braces, has_braces
from shoal.shared.errors import SourceError


@pytest.mark.parametrize(
    ("pattern", "expanded"),
    [
        ("a.tar", ["a.tar"]),
        ("s-{08..11}.tar", ["s-08.tar", "s-09.tar", "s-10.tar", "s-11.tar"]),
        ("s-{9..11}.tar", ["s-9.tar", "s-10.tar", "s-11.tar"]),
        ("{2..1}", ["2", "1"]),
        ("{train,test}/{0..1}.tar", ["train/0.tar", "train/1.tar", "test/0.tar", "test/1.tar"]),
        ("a{,b}", ["a", "ab"]),
        # What shells leave as it is.
        ("{a}", ["{a}"]),
        ("{}", ["{}"]),
        ("{1..}", ["{1..}"]),
    ],
)
def test_braces_name_what_they_name_in_a_shell(pattern: str, expanded: list[str]) -> None:
    assert list(expand_braces(pattern)) == expanded
    assert has_braces(pattern) == (len(expanded) > 1)


def test_too_many_are_refused_at_once() -> None:
    with pytest.raises(SourceError, match="names 100,000,000,000,000,000,000 s"):
        list(expand_braces("{00000000000000000000..99999999999999999999}"))
