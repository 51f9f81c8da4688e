"""Predictions without a database, a framework or a task: what was looked up once is believed while it is fresh.

It takes only what it knows to end well. Whatever else a request may be (an unknown key, a wrong input, a model that was
moved) goes the long way, through the typed route, which decides and words the answer: the two cannot differ.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from weakref import WeakKeyDictionary

from argosy.events.effects import model_signal
from argosy.events.freshness import BELIEVED_SECONDS, Freshness
from argosy.kit.errors import ArgosyError
from argosy.kit.logs import get_logger
from argosy.kit.principal import Scope
from argosy.kit.rates import RateLimiter, Standing, TooManyRequests
from argosy.kit.web.entrance import Authenticator, Credentials, Scheme
from argosy.kit.web.guards import Hosts
from argosy.kit.web.metrics import Metrics
from argosy.serving.allowance import Allowance
from argosy.serving.answers import Call
from argosy.serving.batching import Lane
from argosy.serving.door import Access, Door
from argosy.serving.errors import ModelCrashed, ModelRejectedInput, Overloaded, PredictionTimedOut
from argosy.serving.grants import settling
from argosy.serving.heads import INFER, PREDICT, Head
from argosy.serving.protocols.oip_form import InferForm
from argosy.serving.protocols.wording import Refusal, Wording
from argosy.serving.service import ServingService, deadline
from argosy.serving.turnstile import Turnstile
from argosy.settings import Settings
from argosy.signature.compiled import CompiledSignature
from argosy.signature.errors import InvalidInput
from argosy.signature.tensors import Batch

Which = tuple[str, str, str | None]
ROUTE = "/api/v1/models/{org}/{name}/predict"
INFER_ROUTE = "/v2/models/{org}/{name}/infer"
# Errors that say all there is to say; the others are told by the long way, which tries again.
TOLD = (Overloaded, PredictionTimedOut, ModelRejectedInput, ModelCrashed, TooManyRequests)
CAPACITY = 10_000
PATIENCE_SECONDS = 1.0
LIMITS = 100
log = get_logger(__name__)


class FastPath:
    """Answers predictions from what it remembers."""

    def __init__(
        self,
        freshness: Freshness,
        serving: ServingService,
        authenticator: Authenticator,
        rates: RateLimiter,
        metrics: Metrics,
        settings: Settings,
    ) -> None:
        self.freshness = freshness
        self.max_body = settings.limits.body_bytes
        self.turnstile = Turnstile()
        self._serving = serving
        self._authenticator = authenticator
        self._rates = rates
        self._rate = settings.rates.predict
        self._max_rows = settings.limits.rows
        self._hosts = Hosts(settings)
        self._metrics = metrics
        self._known: dict[Which, Access] = {}
        self._allowances: dict[object, Allowance] = {}
        self._learning: dict[Which, float] = {}
        self._looking: dict[Which, asyncio.Task[Access | None]] = {}
        self._doors: WeakKeyDictionary[Lane, Door] = WeakKeyDictionary()
        self._wording = Wording()

    def find(self, head: Head) -> Access | None:
        """Return what is known of a request, fresh or not; when nothing is, it is looked up for the next one."""
        if head.length > self.max_body or not self._hosts.are_ours(head.host):
            return None
        access = self._known.get((head.url, head.key, head.session_id))
        if access is None:
            self._learn(head)
        return access

    def holds(self, access: Access, now: float) -> bool:
        """Tell whether what is known may be believed, at a time of the monotonic clock."""
        return access.stamp == self.freshness.stamp_of(access.signal) and now < access.ends and not access.lane.closed

    def submit(
        self, access: Access, head: Head, body: bytes, answer: Callable[[Call, bytes | Exception], None], now: float
    ) -> Call | asyncio.Task[None] | None:
        """Take a request whose access holds now: `answer` is called later, never from here.

        None: it has to go the long way. A task: it has to wait for that, and to be submitted again.
        """
        standing = access.allowance.take(now)
        if isinstance(standing, asyncio.Task):
            return standing
        consumption, timed, known_as = access.consumption, access.timed, head.request_id
        if not standing.admitted:
            refusal = _too_many(standing.limit, standing.reset)
            call = Call.of(consumption, Batch({}, 0), now, answer, None, standing, timed, known_as)
            asyncio.get_running_loop().call_soon(answer, call, refusal)
            return call
        try:
            batch, asked = access.read(head, body, self._max_rows)
        except (InvalidInput, ArgosyError):
            return None
        call = Call.of(consumption, batch, now, answer, asked, standing, timed, known_as)
        if access.grant is not None and (spent := access.grant.take(1, batch.rows)) is not None:
            if isinstance(spent, TooManyRequests):
                asyncio.get_running_loop().call_soon(answer, call, spent)
                return call
            call.spent, call.deliver = spent, settling(spent, answer)
        elif access.grant is not None:
            return None  # what is not held here has to be acquired
        try:
            access.lane.submit(call, None if head.timeout is None else deadline(head.timeout))
        except ArgosyError as error:  # the queue is full, or the server that runs the model is known not to answer
            asyncio.get_running_loop().call_soon(call.deliver, call, error)
        return call

    def abandon(self, access: Access, call: Call) -> None:
        """Note that nobody waits for a call any more; what it took of a quota is given back."""
        access.lane.abandon(call)
        if call.spent is not None:
            call.spent.give_back()

    def turn_away(self, calls: Sequence[Call]) -> None:
        """Tell calls that came together that there is no room for them."""
        error = Overloaded()
        self._serving.turned_away(calls, error)
        for call in calls:
            call.deliver(call, error)

    def refusal(self, access: Access, head: Head, call: Call, error: Exception) -> Refusal | None:
        """Return the answer to a call that failed, as the long way would word it; None when it has to go that way."""
        if not isinstance(error, TOLD):
            return None
        if (recording := call.consumption.recording) is not None:
            given = Batch(dict(call.tensors), call.rows) if call.rows else None
            recording.refused(error.status, call.started, given, call.request_id)
        if not call.failure_is_metered:
            self._serving.failed(call.consumption.principal, call.consumption.target, error)
        self._metrics.requests.series("POST", access.route, error.status).observe(time.monotonic() - call.started)
        return self._wording.refusal(error, head.url.partition("?")[0])

    def _learn(self, head: Head) -> None:
        which, moment = (head.url, head.key, head.session_id), time.monotonic()
        # What could not be learned is not tried again at every request.
        if self._learning.get(which, 0.0) > moment:
            return
        if len(self._learning) >= CAPACITY:
            self._learning.clear()
        self._learning[which] = moment + PATIENCE_SECONDS
        self.renew(head)

    def renew(self, head: Head) -> asyncio.Task[Access | None]:
        """Look up again what is no longer believed: once, however many requests wait for it.

        What comes of it may be out of date already for a request that came later: ask `holds`.
        """
        which = (head.url, head.key, head.session_id)
        task = self._looking.get(which)
        if task is None:
            task = self._looking[which] = asyncio.create_task(self._look_up(head))
            task.add_done_callback(lambda _: self._looking.pop(which, None))
        return task

    async def _look_up(self, head: Head) -> Access | None:
        which, access = (head.url, head.key, head.session_id), None
        try:
            access = await self._access(head)
        except ArgosyError:
            pass  # the long way says why
        except Exception:
            log.exception("fast_path_lookup_failed")
        if access is None:
            self._known.pop(which, None)
            return None
        if len(self._known) >= CAPACITY:
            del self._known[next(iter(self._known))]
        self._known[which] = access
        self._learning.pop(which, None)
        return access

    async def _access(self, head: Head) -> Access | None:
        general, ends = self.freshness.general, time.monotonic() + BELIEVED_SECONDS
        typed = PREDICT.fullmatch(head.url)
        parts = typed or INFER.fullmatch(head.url)
        assert parts is not None  # noqa: S101 - heads are made of what matches
        org, name, number, alias = parts.group("org", "name", "version", "alias")
        # Without an address: a key that is limited to some addresses is not for this path.
        credentials = Credentials(Scheme.BEARER, head.key, None, None, org if typed else None)
        principal = await self._authenticator.authenticate(credentials)
        if not principal.may(Scope.PREDICT):
            return None
        owner = org or principal.organization_slug
        signal = model_signal(f"{owner}/{name}")
        stamp = general + self.freshness.special(signal)
        target = await self._serving.resolve(
            principal, owner, name, int(number) if number else None, alias, head.session_id
        )
        if typed and await self._serving.caches(target):
            return None
        signature, lane = await self._serving.signature(target), await self._serving.lane(target)
        allowance = self._allowances.get(principal.id)
        if allowance is None:
            if len(self._allowances) >= CAPACITY:
                self._allowances.clear()
            allowance = self._allowances[principal.id] = Allowance(self._rates, self._rate, principal)
        route, form = (ROUTE, None) if typed else (INFER_ROUTE, _form(signature, org, name, target.number))
        timed = self._metrics.requests.series("POST", route, 200)
        consumption = await self._serving.consumption(principal, target, signature)
        door = self._door(lane) if isinstance(lane, Lane) and target.grant is None else None
        return Access(consumption, lane, allowance, form, route, timed, signal, stamp, ends, target.grant, door)

    def _door(self, lane: Lane) -> Door:
        door = self._doors.get(lane)
        if door is None:
            door = self._doors[lane] = Door(self.holds, self.turn_away, self._max_rows)
        return door


@lru_cache(LIMITS)
def _too_many(limit: int, reset: int) -> TooManyRequests:
    """Return what those who have nothing left are told: the same one, so that it is worded once, and never raised."""
    headers = Standing(admitted=False, limit=limit, remaining=0, reset=reset).headers
    return TooManyRequests("you send more requests than you may; wait", headers=headers)


def _form(signature: CompiledSignature, org: str | None, name: str, version: int) -> InferForm:
    return InferForm(signature, name if org is None else f"{org}/{name}", version)
