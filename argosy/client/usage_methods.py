"""What a client asks about usage."""

from pathlib import Path
from typing import Any

from argosy.client.running import AsyncRunner, Runner
from argosy.client.usage import Usage, asked, collected, export_usage


class UsageMethods(Runner):
    """Usage of the caller's organization, and of its products."""

    def usage(self, *group_by: str, **only: Any) -> Usage:  # noqa: ANN401 - those of `asked`
        """Show what the organization used, by `key`, `model`, `version`, `product` and `day`.

        `only` are the filters `since`, `until`, `model`, `version`, `key` and `product`, and `sort`, such as `-errors`.
        With `as_vendor=True` it is what others used of your products, also by `customer` and of one `customer=`, and
        never by `key`.
        """
        return self._run(collected(self._send, asked(group_by, **only)))

    def export_usage(self, path: str | Path, *group_by: str, **only: Any) -> Path:  # noqa: ANN401
        """Save the same as CSV, whole or not at all, however long it is."""
        return self.send(export_usage(asked(group_by, **only), Path(path)))


class AsyncUsageMethods(AsyncRunner):
    """Usage of the caller's organization, and of its products."""

    async def usage(self, *group_by: str, **only: Any) -> Usage:  # noqa: ANN401 - those of `asked`
        """Show what the organization used, by `key`, `model`, `version`, `product` and `day`.

        `only` are the filters `since`, `until`, `model`, `version`, `key` and `product`, and `sort`, such as `-errors`.
        With `as_vendor=True` it is what others used of your products, also by `customer` and of one `customer=`, and
        never by `key`.
        """
        return await self._run(collected(self._send, asked(group_by, **only)))

    async def export_usage(self, path: str | Path, *group_by: str, **only: Any) -> Path:  # noqa: ANN401
        """Save the same as CSV, whole or not at all, however long it is."""
        return await self.send(export_usage(asked(group_by, **only), Path(path)))
