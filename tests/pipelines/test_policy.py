"""What may be used is decided by licence, terms and the page itself, before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.policy import forbids, reserved
from registry.recipe import Policy, Source


def source(**changes: object) -> Source:
    return Source.model_validate({"name": "s", "path": "p", "kind": "news", "licence": "CC-BY-4.0", **changes})


def test_a_licence_has_to_be_on_the_list():
    assert forbids(Policy(), source()) == ""
    assert forbids(Policy(licences=["CC-BY-4.0"]), source()) == ""
    assert forbids(Policy(licences=["CC0-1.0"]), source()) == "licence"


def test_terms_have_to_allow_what_the_policy_requires():
    kept = source(allows=["retention"])
    assert forbids(Policy(), kept) == "terms:training"
    assert forbids(Policy(requires=["retention"]), kept) == ""
    assert (
        forbids(Policy(requires=["training", "redistribution"]), source(allows=["training"])) == "terms:redistribution"
    )


@pytest.mark.parametrize(
    ("tag", "rule"),
    [
        ('<meta name="tdm-reservation" content="1">', "tdm_reservation"),
        ("<META content=1 name=TDM-Reservation>", "tdm_reservation"),
        ('<meta name="tdm-reservation" content="0">', ""),
        ('<meta name="robots" content="index, noai">', "robots"),
        ('<meta name="robots" content="noindex">', ""),
        ('<meta name="description" content="noai">', ""),
    ],
)
def test_a_page_can_reserve_itself(tmp_path: Path, tag: str, rule: str):
    page = tmp_path / "page.html"
    page.write_text(f"<html><head>{tag}</head><body>本文</body></html>", encoding="utf-8")
    assert reserved(Policy(), page, "text/html") == rule
    assert reserved(Policy(reservations="ignore"), page, "text/html") == ""
    assert reserved(Policy(), page, "text/plain") == ""
