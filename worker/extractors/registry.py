"""The registry: extractors by name, Shoal's own and those of installed packages."""

import os
from functools import cache
from pathlib import Path

import numpy as np

from shoal.shared.recipe.features import EXTRACTORS, check_known, split_features
from shoal.worker.extractors.color import COLOR
from shoal.worker.extractors.embedding import make_embedding
from shoal.worker.extractors.extractor import Extractor, Features, Images
from shoal.worker.extractors.hog import HOG
from shoal.worker.extractors.lbp import LBP
from shoal.worker.extractors.model_input import resize_images
from shoal.worker.extractors.pixels import PIXELS
from shoal.worker.extractors.plugins import load_plugin

_BUILT_IN = {extractor.name: extractor for extractor in (PIXELS, COLOR, HOG, LBP)}


def find_extractor(name: str, embedding_model: Path | None = None) -> Extractor:
    """Look up the extractor that a job calls ``name``.

    Args:
        name: One of Shoal's own, else one that a package registers in the group ``shoal.features``.
        embedding_model: ONNX file of ``embedding``; None: the model that Shoal ships.

    Raises:
        UsageError: There is no extractor of this name, or it cannot be loaded here.
    """
    check_known(name)
    if name == "embedding":
        return make_embedding(embedding_model)
    return _BUILT_IN.get(name) or load_plugin(name)


def find_extractors(features: str, embedding_model: Path | None = None) -> tuple[Extractor, ...]:
    """Look up the extractors that, for example, ``hog+color`` combines, in this order.

    Raises:
        UsageError: A name is unknown or given twice, or an extractor cannot be loaded here.
    """
    # By process: a fork loads its own model, whose file, and so its digest, may have changed.
    built_in = _find_built_in(os.getpid(), features, embedding_model)
    return built_in or _find_all(split_features(features), embedding_model)


@cache
def _find_built_in(
    _process: int, features: str, embedding_model: Path | None
) -> tuple[Extractor, ...]:
    """Look up extractors once per process; none if one of them is another package's.

    Those are loaded anew for every batch, as their digest may change.
    """
    names = split_features(features)
    return _find_all(names, embedding_model) if EXTRACTORS.keys() >= set(names) else ()


def _find_all(names: tuple[str, ...], embedding_model: Path | None) -> tuple[Extractor, ...]:
    return tuple(find_extractor(name, embedding_model) for name in names)


def extract_blocks(
    extractors: tuple[Extractor, ...], images: Images
) -> tuple[Features, tuple[int, ...]]:
    """Extract the features of all extractors, side by side, a block for each.

    Args:
        extractors: At least one.
        images: Pixels of shape (n_samples, image_size, image_size, 3). Among several extractors,
            one whose number of features does not depend on the size gets them no larger than
            suits it: outlines of 260 pixels take 15 times as long as those of 64.

    Returns:
        Features of shape (n_samples, n_features), float32, or uint8 if there is only one extractor
        and it gives uint8; and the width of each block, which add up to n_features.

    Raises:
        UsageError: Another package's extractor breaks its contract.
    """
    if not len(images):
        features, widths = extract_blocks(extractors, np.zeros((1, *images.shape[1:]), np.uint8))
        return features[:0], widths
    if len(extractors) == 1:
        features = extractors[0].extract(images)
        return features, features.shape[1:]
    blocks = [extractor.extract(_reduce(extractor, images)) for extractor in extractors]
    widths = tuple(block.shape[1] for block in blocks)
    return np.concatenate(blocks, axis=1, dtype=np.float32), widths


def _reduce(extractor: Extractor, images: Images) -> Images:
    facts = EXTRACTORS.get(extractor.name)
    is_larger = facts and facts.fixed_count and images.shape[1] > facts.image_size
    return resize_images(images, extractor.image_size) if is_larger else images
