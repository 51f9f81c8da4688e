"""Which of JSON and CSV an Accept field asks for."""

import csv
import io

import pytest

from argosy.kit.web.csv import CSV, OFFERS
from argosy.kit.web.negotiation import preferred
from tests.support.callers import Caller

ASKED = [
    ("", False),
    ("*/*", False),
    ("application/json", False),
    ("text/csv", True),
    ("TEXT/CSV ; Charset=UTF-8", True),
    ('text/csv;charset="utf-8";header=present', True),
    ("text/*", True),
    ("application/*", False),
    ("text/csv, */*", False),
    ("text/csv, */*;q=0.9", True),
    ("text/csv, application/json", False),
    ("text/csv;q=0.9, application/json", False),
    ("application/json;q=0.8,text/csv", True),
    ("application/json; charset=utf-8, text/csv;q=0.5", False),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
    ("text/html, text/csv;q=0.1", True),
    ("*/*, application/json;q=0", True),
    ("*/*, text/*;q=0.1, text/csv;q=0.2, application/json;q=0.15", True),
    ("text/*;q=0.9, text/csv;q=0, application/json;q=0.1", False),
    ("text/csv;charset=utf-8;q=0.2, text/csv;q=0.9, application/json;q=0.5", False),
    ("text/csv;charset=utf-16", False),
    ("text/csv;header=absent", False),
    ("text/csv;q=0", False),
    ("text/csv;q=0.000, */*;q=0.001", False),
    ("image/png", False),
    (", ,text/csv,,", True),
    ("text/csv;;", True),
    ("text/csv;q=2", False),
    ("text/csv;q=-1", False),
    ("text/csv;q=nan", False),
    ("text/csv;q=", False),
    ("text/csvx", False),
    ("csv", False),
    ("*/csv", False),
    ("text/csv, " + "a/b;q=0.1," * 300, True),
]


@pytest.mark.parametrize(("accept", "expected"), ASKED)
def test_what_is_wanted_most_is_given(accept: str, expected: bool) -> None:
    assert (preferred(accept, OFFERS).type == CSV) is expected


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_usage_is_given_as_it_is_asked_for(owner: Caller) -> None:
    for accept, expected in ASKED:
        answer = await owner.get("/usage", headers={"Accept": accept})
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/csv" if expected else "application/json"), accept
    said = await owner.get("/usage?format=json", headers={"Accept": "text/csv"})
    assert said.headers["content-type"] == "application/json", "the parameter goes before the field"
    assert next(csv.reader(io.StringIO((await owner.get("/usage?format=csv", headers={"Accept": "*/*"})).text)))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_several_fields_are_one_list(owner: Caller) -> None:
    fields = [("Accept", "application/json;q=0.5"), ("Accept", "text/csv")]
    answer = await owner.http.get("/api/v1/usage", headers=[*fields, ("Authorization", f"Bearer {owner.key}")])
    assert answer.headers["content-type"].startswith("text/csv")
