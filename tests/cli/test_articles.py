"""`argosy articles`, against a real server."""

from pathlib import Path

import pytest

from argosy.client import Argosy
from tests.cli.conftest import Shell


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "post.md"
    path.write_text("# Data\n\nFisher's measurements of 150 flowers.")
    return str(path)


def test_articles_are_written_listed_shown_and_published(account: Argosy, shell: Shell, text: str) -> None:
    made = shell.json("articles", "write", "Flowers", text, "--tag", "iris")
    assert (made["published"], made["tags"]) == (False, ["iris"])
    assert "Flowers" in shell.printed("articles", "list", "--drafts", "--author", account.slug)
    assert "150 flowers" in shell.printed("articles", "show", made["id"])
    assert shell.json("articles", "show", made["id"])["html"].startswith("<h1>")
    assert shell.json("articles", "edit", made["id"], "--title", "Irises", "--revision", "1")["title"] == "Irises"
    assert "changed" in shell.run("articles", "edit", made["id"], "--title", "Late", "--revision", "1", code=1)
    assert "--title" in shell.run("articles", "edit", made["id"], code=2)
    assert shell.json("articles", "publish", made["id"])["published"] is True
    found = shell.json("articles", "list", "--search", "fish", "--author", account.slug, "--tag", "IRIS")
    assert [one["id"] for one in found] == [made["id"]]
    assert shell.json("articles", "unpublish", made["id"])["published"] is False
    assert "Flowers" in shell.printed("articles", "revisions", made["id"])
    assert shell.json("articles", "restore", made["id"], "1")["title"] == "Flowers"
    assert shell.json("articles", "delete", made["id"], "--yes") == {"deleted": made["id"]}
    assert "not found" in shell.run("articles", "show", made["id"], code=1).lower()


def test_a_models_card_is_written_and_printed(account: Argosy, shell: Shell, text: str) -> None:
    account.create_model("iris")
    assert shell.json("articles", "card", "iris", text)["card"] is True
    assert shell.printed("articles", "card", "iris").startswith("# Data")
    bound = shell.json("articles", "write", "Flowers", text, "--model", f"{account.slug}/iris", "--publish")
    assert bound["model"] == f"{account.slug}/iris"
    assert shell.json("articles", "edit", bound["id"], "--model", "")["model"] is None
