"""The client for scripts and notebooks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from argosy.client import accounts, registry, results
from argosy.client.account_methods import AccountMethods
from argosy.client.article_methods import ArticleMethods
from argosy.client.credential_methods import CredentialMethods
from argosy.client.entitlement_methods import EntitlementMethods
from argosy.client.flows import Progress, Push, ignore
from argosy.client.order_methods import OrderMethods
from argosy.client.organization_methods import OrganizationMethods
from argosy.client.payloads import prediction_body
from argosy.client.predictions import Prediction
from argosy.client.product_methods import ProductMethods
from argosy.client.requests import given
from argosy.client.uploads import make_upload, version_metadata
from argosy.client.usage_methods import UsageMethods


class Argosy(
    AccountMethods,
    ArticleMethods,
    ProductMethods,
    OrderMethods,
    EntitlementMethods,
    OrganizationMethods,
    CredentialMethods,
    UsageMethods,
):
    """Talks to an Argosy server.

    Calls as an API key, as an OAuth2 client, or as a user; tokens are renewed when their time is up. What is not given
    is read from `ARGOSY_URL` and `ARGOSY_API_KEY`. Threads may share it.

    >>> with Argosy(api_key="ak_…") as client:
    ...     client.push(pipeline, name="iris", sample=X)
    ...     client.predict("iris", [{"sepal_length": 5.1}]).labels
    """

    @property
    def slug(self) -> str:
        """The slug of the organization that short model names belong to."""
        return self._run(self._own_slug())

    def full_name(self, name: str) -> str:
        """Return `organization/name` for a model's short or full name."""
        return self._run(self._full_name(name))

    def models(self, search: str | None = None) -> Iterator[results.Model]:
        """List the models you can see."""
        return self._each(self._list("/models", results.Model, **given(q=search)))

    def model(self, name: str) -> results.Model:
        """Show a model."""
        return self._run(self._of(name, registry.get_model))

    def create_model(self, name: str, **fields: Any) -> results.Model:  # noqa: ANN401 - the API's fields
        """Make a model: `description`, `visibility`, `tags`, `task`."""
        return self.send(registry.create_model({"name": name, **given(**fields)}))

    def update_model(self, name: str, **changes: Any) -> results.Model:  # noqa: ANN401 - the API's fields
        """Change a model."""
        return self._run(self._of(name, registry.update_model, changes))

    def delete_model(self, name: str) -> None:
        """Delete a model with its versions."""
        self._run(self._of(name, registry.delete_model))

    def push(
        self,
        model: object,
        *,
        name: str,
        sample: object = None,
        tokenizer: str | Path | None = None,
        visibility: str | None = None,
        alias: str | None = "live",
        nullable: bool = True,
        trust_pickle: bool = False,
        wait: bool = True,
        progress: Progress = ignore,
        **metadata: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Version:
        """Push a model: a fitted estimator, which is converted here, or the path of an ONNX or skops file.

        `sample` is some rows of its inputs, or the file they are in; `tokenizer` the file of a model that makes
        embeddings. `metadata` takes `parameters`, `metrics`, `training_date`, `description`, `tags` and `embedding`.
        The model is made where it does not exist, private unless `visibility` says otherwise. With `wait`, returns the
        version once it is ready. `progress` hears `PushProgress`.

        Raises `ConversionError` when it cannot be converted, `PushFailed` when the server's parity gate refuses it.
        """
        described = version_metadata(**metadata, alias=alias)
        prepare = lambda: make_upload(  # noqa: E731
            model, sample, described, nullable=nullable, trust_pickle=trust_pickle, tokenizer=tokenizer
        )
        return self._run(self._push(Push(name, prepare, visibility, wait, progress)))

    def wait(self, name: str, number: int, *, timeout: float = 600.0, progress: Progress = ignore) -> results.Version:
        """Wait until a version is ready; raises `PushFailed` when it fails, `TimeoutError` when it takes too long."""
        return self._run(self._wait(name, number, timeout, progress))

    def versions(self, name: str) -> Iterator[results.Version]:
        """List the versions of a model."""
        return self._each(self._list_of(name, results.Version, "versions"))

    def version(self, name: str, number: int) -> results.Version:
        """Show a version."""
        return self._run(self._of(name, registry.get_version, number))

    def update_version(self, name: str, number: int, **changes: Any) -> results.Version:  # noqa: ANN401
        """Change what is said about a version, and the constraints of its features."""
        return self._run(self._of(name, registry.update_version, number, changes))

    def compare(self, name: str, a: int, b: int) -> dict[str, Any]:
        """Show what differs between two versions."""
        return self._run(self._of(name, registry.compare_versions, a, b))

    def signature(self, name: str, number: int) -> dict[str, Any]:
        """Show a version's signature and its JSON Schema."""
        return self._run(self._of(name, registry.get_signature, number))

    def download(self, name: str, number: int, path: str | Path, *, kind: str = "onnx") -> Path:
        """Save a version's artifact to a file, whole or not at all."""
        return self._run(self._of(name, registry.download, number, kind, Path(path)))

    def aliases(self, name: str) -> list[results.Alias]:
        """List the aliases of a model."""
        return self._run(self._of(name, registry.list_aliases))

    def set_alias(self, name: str, alias: str, version: int) -> results.Alias:
        """Point an alias at a version."""
        return self._run(self._of(name, registry.set_alias, alias, version))

    def remove_alias(self, name: str, alias: str) -> None:
        """Remove an alias."""
        self._run(self._of(name, registry.remove_alias, alias))

    def alias_history(self, name: str, alias: str) -> Iterator[results.AliasChange]:
        """Show where an alias has pointed, newest first."""
        return self._each(self._list_of(name, results.AliasChange, "aliases", alias, "history"))

    def predict(self, name: str, inputs: object, *, version: int | None = None, alias: str | None = None) -> Prediction:
        """Predict for rows: a list of dictionaries, a data frame, columns by name, or a matrix."""
        return self._run(self._of(name, registry.predict, prediction_body(inputs), version, alias))

    def jobs(self, status: str | None = None) -> Iterator[results.Job]:
        """List jobs."""
        return self._each(self._list("/jobs", results.Job, **given(status=status)))

    def job(self, job_id: object) -> results.Job:
        """Show a job."""
        return self.send(accounts.get_job(job_id))

    def cancel_job(self, job_id: object) -> results.Job:
        """Cancel a job."""
        return self.send(accounts.cancel_job(job_id))

    def explain(
        self,
        name: str,
        inputs: object,
        *,
        method: str = "shap",
        background: object = None,
        **fields: Any,  # noqa: ANN401 - the API's fields
    ) -> results.Job:
        """Queue an explanation of answers (`shap`) or of the model (`permutation`); `job_result` waits for it.

        `inputs` and `background` are as for `predict`; `fields` are `labels`, `samples`, `seed`, `version`, `alias`.
        """
        return self._run(self._explain(name, inputs, background, given(method=method, **fields)))

    def job_result(
        self,
        job_id: object,
        *,
        timeout: float = 600.0,
    ) -> dict[str, Any]:
        """Wait for a job and return what came of it; raises `JobUnsuccessful`, or `TimeoutError`."""
        return self._run(self._result(job_id, timeout))
