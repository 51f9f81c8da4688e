"""Settings: where they are read from, what is refused, and that the example is in step."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from argosy.settings import Settings
from tools.env_example import FILE, render, variables


def test_the_example_matches_the_settings() -> None:
    assert FILE.read_text() == render()


def test_variables_files_and_dotenv_are_read_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "ARGOSY_SECURITY_SECRET_KEY").write_text("0123456789" * 4 + "\n")
    (folder / "ARGOSY_PORT").write_text("1")
    (folder / "ARGOSY_HOST").write_text("from-file")
    (tmp_path / ".env").write_text("ARGOSY_PORT=2\nARGOSY_HOST=from-dotenv\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARGOSY_SECRETS_DIR", str(folder))
    monkeypatch.setenv("ARGOSY_PORT", "3")
    settings = Settings()
    assert (settings.port, settings.host) == (3, "from-dotenv")
    assert settings.security.secret_key is not None
    assert settings.security.secret_key.get_secret_value() == "0123456789" * 4


def test_the_names_that_operators_rely_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "ARGOSY_DATA_DIR": str(tmp_path),
        "ARGOSY_DATABASE_URL": "postgresql://user:hunter2@host/name",
        "ARGOSY_HOST": "0.0.0.0",
        "ARGOSY_PORT": "9000",
        "ARGOSY_REGISTRATION": "closed",
        "ARGOSY_STORAGE_URL": "file:///somewhere",
        "ARGOSY_LOG_FORMAT": "json",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.data.dir == tmp_path
    assert settings.database_url == given["ARGOSY_DATABASE_URL"]
    assert settings.storage_dir == Path("/somewhere")
    assert (settings.host, settings.port, settings.registration) == ("0.0.0.0", 9000, "closed")
    assert "hunter2" not in repr(settings)
    assert set(given) <= {name for name, _ in variables()}


@pytest.mark.parametrize("url", ["mysql://host/name", "nonsense", "redis://x"])
def test_a_wrong_value_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"database": {"url": url}})
    assert refused.value.errors()[0]["loc"] == ("database", "url")
    assert url not in str(refused.value)
