"""Hooks of the documentation site (`mkdocs.yml`).

They add the pages that live outside of ``docs/`` and the reports of the studies that have been run, so
that the same relative links work in the repository and on the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PROJECT = Path(__file__).parents[1]
#: Pages outside of docs/, and their names on the site.
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LOG.md": "log.md",
    "results/README.md": "results_folder.md",
}
REPOSITORY_PATHS = {page: path for path, page in OUTSIDE.items()}
LINK = re.compile(r"(?P<bang>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
#: What the list of reports replaces in reports.md.
PLACEHOLDER = "<!-- reports -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside of docs/ and the reports that exist."""
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(PROJECT / path).read_text("utf-8")))
    for study in _studies():
        if _report(study).is_file():
            files.append(
                File.generated(config, f"reports/{study}.html", abs_src_path=str(_report(study)))
            )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links into the repository lead to pages of the site, and list the reports."""
    source = page.file.src_uri
    here = posixpath.dirname(REPOSITORY_PATHS.get(source, f"docs/{source}"))
    text = LINK.sub(lambda found: _on_site(found, here), markdown)
    return text.replace(PLACEHOLDER, "\n".join(_listed(study) for study in _studies()))


def _on_site(link: re.Match[str], here: str) -> str:
    """Return a link as the site has it; of a file that the site lacks, only the text."""
    url = urlsplit(link["target"])
    if url.scheme or not url.path:
        return link[0]
    path = posixpath.normpath(posixpath.join(here, url.path))
    page = path.removeprefix("docs/") if path.startswith("docs/") else OUTSIDE.get(path)
    if page is None:
        return link["text"] if (PROJECT / path).exists() else link[0]
    anchor = f"#{url.fragment}" if url.fragment else ""
    return f"{link['bang']}[{link['text']}]({page}{anchor})"


def _studies() -> list[str]:
    config = yaml.safe_load((PROJECT / "config.yaml").read_text("utf-8"))
    return [study["name"] for study in config["studies"]]


def _report(study: str) -> Path:
    """Return the report of a study: of its own run, else of its recorded tables."""
    own = PROJECT / "results" / study / "report.html"
    return own if own.is_file() else PROJECT / "results" / "measured" / study / "report.html"


def _listed(study: str) -> str:
    if _report(study).is_file():
        return f"- [{study}](reports/{study}.html)"
    return f"- {study}: not built"
