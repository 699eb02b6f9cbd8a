"""Feedback: what somebody likes of a job's images and what not, as the address of a page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query

from shoal.producer.web.api.search import Numbers
from shoal.producer.web.pages.uploads import TOKEN_LENGTH


@dataclass(frozen=True)
class Feedback:
    """Which images others shall be like, and which not.

    Attributes:
        images: Numbers of images that were asked about.
        likes: Numbers of images that are liked.
        dislikes: Numbers of images that are not.
        picture: Name of an uploaded picture that was asked about; "" if none.
        duplicates: Whether each image of a group of duplicates is wanted.
    """

    images: tuple[int, ...] = ()
    likes: tuple[int, ...] = ()
    dislikes: tuple[int, ...] = ()
    picture: str = ""
    duplicates: bool = False

    @property
    def query(self) -> str:
        """The query of an address that says all of this."""
        given = {"picture": self.picture} if self.picture else {}
        asked: dict[str, object] = {
            **given,
            "image": self.images,
            "like": self.likes,
            "dislike": self.dislikes,
        }
        if self.duplicates:
            asked["duplicates"] = "true"
        return urlencode(asked, doseq=True)

    @property
    def is_rated(self) -> bool:
        """Whether anything is liked or not, so that images are recommended and not only found."""
        return bool(self.likes or self.dislikes)

    def like(self, number: int) -> "Feedback":
        """Like one image more; what was asked about is liked, too."""
        rest = self.without(number)
        return replace(rest, images=(), likes=(*rest.images, *rest.likes, number))

    def dislike(self, number: int) -> "Feedback":
        """Dislike one image more; what was asked about is liked."""
        rest = self.without(number)
        likes, dislikes = (*rest.images, *rest.likes), (*rest.dislikes, number)
        return replace(rest, images=(), likes=likes, dislikes=dislikes)

    def without(self, number: int) -> "Feedback":
        """Take back what was said about an image."""
        return replace(
            self,
            images=_leave_out(self.images, number),
            likes=_leave_out(self.likes, number),
            dislikes=_leave_out(self.dislikes, number),
        )

    def with_duplicates(self, duplicates: bool) -> "Feedback":
        """Want each image of a group of duplicates, or only one."""
        return replace(self, duplicates=duplicates)

    def without_picture(self) -> "Feedback":
        """Ask about the uploaded picture no more."""
        return replace(self, picture="")


def _leave_out(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    return tuple(other for other in numbers if other != number)


def _unique(numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers))


# Depends on nothing that asks Redis.
async def _read_feedback(
    image: Numbers = [],  # noqa: B006  FastAPI copies it
    like: Numbers = [],  # noqa: B006  likewise
    dislike: Numbers = [],  # noqa: B006  likewise
    picture: Annotated[str, Query(max_length=TOKEN_LENGTH)] = "",
    duplicates: bool = False,
) -> Feedback:
    """Read the feedback from an address; each image counts once."""
    return Feedback(_unique(image), _unique(like), _unique(dislike), picture, duplicates)


FeedbackDep = Annotated[Feedback, Depends(_read_feedback)]
