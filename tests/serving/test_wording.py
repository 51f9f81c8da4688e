"""What many are told alike is worded once, and is what each of them would have been told."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from argosy.kit.errors import ArgosyError
from argosy.kit.rates import TooManyRequests
from argosy.kit.web.problems import problem
from argosy.serving.errors import ModelRejectedInput, Overloaded
from argosy.serving.protocols.wording import Refusal, Wording

PATHS = ["/api/v1/models/owner/sizes/predict", "/v2/models/owner/sizes/infer"]


IDS = st.from_regex(re.compile(r"[\w.:-]{1,128}", re.ASCII), fullmatch=True)


@given(st.text(), st.text(), st.sampled_from(PATHS), IDS)
def test_a_refusal_is_the_problem_with_its_own_id(detail: str, value: str, path: str, request_id: str) -> None:
    told = ModelRejectedInput(detail or None, runtime_error=value, another=f'"request_id":"{value}"')
    refusal, whole = Refusal.of(told, path), problem(told, path, request_id)
    assert refusal.status == whole.status_code == 422
    assert refusal.body(request_id) == whole.body


def test_what_is_worded_belongs_to_its_error_and_path() -> None:
    wording, error = Wording(), Overloaded()
    once = wording.refusal(error, PATHS[0])
    assert wording.refusal(error, PATHS[0]) is once
    assert b"retry-after: 1\r\n" in once.start
    others: list[tuple[ArgosyError, str]] = [(error, PATHS[1]), (Overloaded(), PATHS[1])]
    others += [(TooManyRequests("wait", headers={"Retry-After": "7"}), PATHS[0]), (error, PATHS[0])]
    for other, path in others:
        assert json.loads(wording.refusal(other, path).body("a")) == json.loads(bytes(problem(other, path, "a").body))
