"""Settings for tests: everything quick, nothing different in kind."""

from pathlib import Path
from typing import Any

from argosy.settings import (
    DatabaseSettings,
    DataSettings,
    LogSettings,
    NetworkSettings,
    Settings,
    UsageSettings,
)


def make_settings(data_dir: Path, database_url: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "data": DataSettings(dir=data_dir),
        "database": DatabaseSettings.model_validate({"url": database_url, "migrate": False, "poll": 0.5}),
        "log": LogSettings(format="json", level="warning"),
        "usage": UsageSettings(flush=0.05),
        "network": NetworkSettings(hosts=["argosy.test"]),
    }
    return Settings(_env_file=None, **(values | changes))
