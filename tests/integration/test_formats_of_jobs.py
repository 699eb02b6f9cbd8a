"""Jobs of every format that is read, from the folder to the labels."""

import numpy as np
from picture_files import FORMS, four_colours, write_picture
from PIL import Image

from shoal.producer.submission.folder import read_folder


def test_a_folder_of_every_format_is_clustered(submit, run, context, tmp_path):
    black = Image.new("RGB", (64, 64))
    for form in FORMS:
        for name, picture in (("colours", four_colours()), ("black", black)):
            write_picture(tmp_path / f"{name}.{form}", picture)
    assert len(read_folder(tmp_path).paths) == 2 * len(FORMS)
    ledger = run(submit(tmp_path, batch_size=7, features="pixels", image_size=8, clusters=2))
    labels = {a.path: a.label for a in context.results(ledger.job_id).assignments()}
    assert len(labels) == 2 * len(FORMS)
    colours, blacks = (
        {labels[f"{name}.{form}"] for form in FORMS} for name in ("colours", "black")
    )
    assert len(colours) == len(blacks) == 1
    assert not np.intersect1d(list(colours), list(blacks)).size
