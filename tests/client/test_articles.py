"""Articles and cards through the SDK, against a real server."""

import httpx2
import pytest

from argosy.client import Argosy, ArgosyAPIError, AsyncArgosy
from tests.support.servers import ServerProcess

CONTENT = "# Data\n\nFisher's measurements of 150 flowers."


def test_an_article_is_written_changed_restored_and_deleted(server: ServerProcess, client: Argosy) -> None:
    made = client.write_article("Flowers", CONTENT, tags=["iris"])
    assert (made.published, made.organization, made.author and made.author.username) == (False, *[client.slug] * 2)
    changed = client.update_article(made.id, revision=made.revision, title="Irises")
    assert changed.title == "Irises"
    with pytest.raises(ArgosyAPIError) as late:
        client.update_article(made.id, revision=made.revision, title="Late")
    assert late.value.status == 412
    assert [one.number for one in client.article_revisions(made.id)] == [2, 1]
    assert client.article_revision(made.id, 1).content == CONTENT
    assert client.restore_article(made.id, 1).title == "Flowers"
    with Argosy(server.url, api_key="") as anybody:
        assert [one.id for one in anybody.articles(organization=client.slug)] == []
        client.publish_article(made.id)
        assert [one.id for one in anybody.articles("flow", author=client.slug, tag="iris")] == [made.id]
        assert "<h1>Data</h1>" in str(anybody.article(made.id).html)
        assert client.unpublish_article(made.id).published is False
    client.delete_article(made.id)
    assert list(client.articles(organization=client.slug)) == []


def test_a_models_card_is_written_by_its_short_name(client: Argosy) -> None:
    client.create_model("iris")
    card = client.set_card("iris", CONTENT, tags=["card"])
    assert (card.card, card.model, client.card("iris").id) == (True, f"{client.slug}/iris", card.id)
    assert client.set_card("iris", CONTENT + " Again.", revision=card.revision).revision == 2
    assert [one.id for one in client.articles(model=f"{client.slug}/iris")] == [card.id]


async def test_the_asynchronous_client_writes_too(client: Argosy) -> None:
    async with AsyncArgosy(client.url, api_key=client._api_key, organization=client.slug) as caller:
        made = await caller.write_article("Flowers", CONTENT, published=True)
        assert [one.id async for one in caller.articles(organization=client.slug)] == [made.id]
        assert [one.number async for one in caller.article_revisions(made.id)] == [1]
        await caller.update_article(made.id, title="Irises")
        assert (await caller.restore_article(made.id, 1)).title == (await caller.article(made.id)).title == "Flowers"
        assert (await caller.article_revision(made.id, 2)).title == "Irises"
        assert not (await caller.unpublish_article(made.id)).published
        assert (await caller.publish_article(made.id)).published
        await caller.create_model("iris")
        assert (await caller.set_card("iris", CONTENT)).id == (await caller.card("iris")).id
        await caller.delete_article(made.id)


def test_writing_can_be_repeated() -> None:
    seen: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(503 if len(seen) == 1 else 409, json={"detail": "so it is"})

    transport = httpx2.MockTransport(handle)
    with Argosy("http://argosy.test", api_key="ak_x", transport=transport) as one, pytest.raises(ArgosyAPIError):
        one.write_article("Flowers", CONTENT)
    assert seen[0].headers["idempotency-key"] == seen[1].headers["idempotency-key"]
