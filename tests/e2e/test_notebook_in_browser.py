"""A job as a notebook shows it, in the cell of a page."""

from pathlib import Path

from browser import Window, open_browser
from playwright.sync_api import expect
from shoal_command import FinishedRun

from shoal import Client
from shoal.shared.settings import Settings

CELL = '<!doctype html><html lang="en"><title>Notebook</title><main><h1>Cell</h1>{}</main></html>'


def test_a_job_is_shown_with_pictures_of_its_clusters_and_a_link_to_its_report(
    embedded_run: FinishedRun, tmp_path: Path
) -> None:
    settings = Settings(home=embedded_run.shoal.home)
    with Client(settings=settings, start_workers=False) as client:
        job = client.job(embedded_run.job_id)
        job.report(tmp_path / "my report.html")
        (tmp_path / "cell.html").write_text(CELL.format(job._repr_html_()))
    with open_browser() as browser:
        window = Window(browser.new_page(viewport={"width": 700, "height": 900}))
        page = window.page
        page.goto((tmp_path / "cell.html").as_uri())
        expect(page.get_by_text(f"Job {job.id}: finished")).to_be_visible()
        pictures = page.get_by_role("img")
        expect(page.get_by_text("Cluster 4", exact=True)).to_be_visible()
        assert pictures.count() > 20
        assert pictures.last.evaluate("picture => picture.naturalWidth") > 16
        assert page.evaluate("document.documentElement.scrollWidth") <= 700
        assert window.barriers() == []
        with page.expect_popup() as opened:
            page.get_by_role("link", name="The report").click()
        expect(opened.value.get_by_role("heading", name="120 images in")).to_be_visible()
        assert (window.faults, window.asked) == ([], set())
