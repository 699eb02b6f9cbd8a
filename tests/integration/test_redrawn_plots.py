"""After clusters are named, workers draw the plots of a finished job again."""

import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shoal.shared.findings import PlotName
from shoal.shared.messaging.messages import Messages
from shoal.shared.settings import Settings
from shoal.shared.store import OutdatedPlots, Registry
from shoal.shared.store.keys import CLAIMS, queue_key
from shoal.shared.store.plots import MOST_ATTEMPTS, Drawing
from shoal.shared.sweeper import Sweeper
from shoal.shared.tasks import CALLBACKS, DRAW_PLOTS
from shoal.worker.stages.redrawing import redraw_plots

NAMED = {PlotName.SCATTER, PlotName.SIZES, PlotName.CONTACT_SHEET}


@pytest.fixture
def finished(python_client, submit, run, mixed: Path, tmp_path: Path):
    """A finished job whose folder is not there any more."""
    folder = shutil.copytree(mixed, tmp_path / "images")
    job = python_client.job(run(submit(folder, clusters=3, image_size=8)).job_id)
    shutil.rmtree(folder)
    return job


def count_messages(redis):
    waiting = redis.lrange(queue_key(CALLBACKS, 0), 0, -1)
    return sum(DRAW_PLOTS.encode() in message for message in waiting)


def begin(outdated: OutdatedPlots) -> Drawing:
    drawing = outdated.begin()
    assert drawing
    return drawing


def test_plots_have_new_names_though_the_folder_is_gone(finished, context, redis):
    before = finished.plots()
    finished.name_clusters({1: "kitchen"})
    assert not finished.redraw_plots()
    assert count_messages(redis) == 2
    redraw_plots(context, finished.id)
    assert finished.redraw_plots()
    after = finished.plots()
    assert {name for name in before if before[name] != after[name]} == NAMED
    # Its pictures are still on the contact sheet, from the JPEGs that were kept: a caption differs.
    one, other = (
        np.asarray(Image.open(BytesIO(plots["contact-sheet"])), np.int16)
        for plots in (before, after)
    )
    assert 0 < (np.abs(one - other) > 64).any(axis=2).mean() < 0.01
    finished.name_clusters({1: ""})
    redraw_plots(context, finished.id)
    again = finished.plots()
    assert {name for name in before if before[name] != again[name]} == {PlotName.CONTACT_SHEET}


def test_plots_of_earlier_names_do_not_replace_later_ones(finished, context):
    outdated = OutdatedPlots(context.client, finished.id)
    finished.name_clusters({0: "late"})
    slow = begin(outdated)
    finished.name_clusters({0: "later"})
    fast = begin(outdated)
    assert outdated.put(fast, {"sizes": b"later"})
    assert not outdated.put(slow, {"sizes": b"late"})
    assert finished.plots()["sizes"] == b"later"
    assert not outdated.are_outdated()


def test_a_name_given_meanwhile_is_drawn_next(finished, context):
    outdated = OutdatedPlots(context.client, finished.id)
    finished.name_clusters({0: "one"})
    drawing = begin(outdated)
    finished.name_clusters({1: "two"})
    assert outdated.put(drawing, {"sizes": b"one"})
    assert outdated.are_outdated()
    assert begin(outdated).revision > drawing.revision


def test_a_lost_message_is_sent_again(finished, context, redis):
    finished.name_clusters({0: "red"})
    redis.delete(queue_key(CALLBACKS, 0))
    sweeper = Sweeper(Registry(redis), Settings(sweep_seconds=0.01), Messages(redis))
    for _ in range(2):
        sweeper.sweep()
        assert count_messages(redis) == 1
        # However long no worker takes it, it waits once.
        redis.delete(f"{CLAIMS}{finished.id}:plots", f"{CLAIMS}sweep")
    redraw_plots(context, finished.id)
    assert Registry(redis).outdated_plots() == []


def test_plots_that_end_processes_stay_as_they_are(finished, context):
    before, outdated = finished.plots(), OutdatedPlots(context.client, finished.id)
    finished.name_clusters({0: "red"})
    assert all(outdated.begin() for _ in range(MOST_ATTEMPTS))
    assert outdated.begin() is None
    assert not outdated.are_outdated()
    assert finished.plots() == before
    finished.name_clusters({0: "blue"})
    assert outdated.begin()


def test_what_is_drawn_of_other_findings_does_not_count_and_all_of_it_expires(
    finished, context, redis
):
    outdated = OutdatedPlots(context.client, finished.id)
    finished.name_clusters({0: "red"})
    drawing = begin(outdated)
    redis.delete(finished.results.keys.plots(drawing.findings_token))
    redis.pexpire(finished.results.keys.job, 100_000)
    assert outdated.put(drawing, {"sizes": b"red"})
    assert 0 < redis.pttl(finished.results.keys.plots(drawing.findings_token)) <= 100_000
    finished.name_clusters({0: "blue"})
    drawing = begin(outdated)
    finished.retry(failed_only=True)
    assert not outdated.put(drawing, {"sizes": b"blue"})
    redraw_plots(context, finished.id)
    assert Registry(redis).outdated_plots() == []
