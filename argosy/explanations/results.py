"""What comes of an explanation, as JSON."""

from argosy.explanations.importance import Importances
from argosy.explanations.plan import Plan
from argosy.explanations.shapley import Explained
from argosy.jobs.errors import JobFailed
from argosy.serving.target import Target

MOST_NUMBERS = 1_000_000
Result = dict[str, object]


def shap(target: Target, plan: Plan, features: list[str], found: Explained) -> Result:
    """Return contributions by row, output and feature."""
    if found.contributions.size > MOST_NUMBERS:
        shown = " x ".join(str(size) for size in found.contributions.shape)
        raise JobFailed(
            f"the result would have {shown} numbers, and at most {MOST_NUMBERS} are allowed; give fewer rows"
        )
    rows = []
    for answers, contributions in zip(found.answers.tolist(), found.contributions, strict=True):
        outputs = [
            {"output": name, "base": base, "value": value, "contributions": dict(zip(features, column, strict=True))}
            for name, base, value, column in zip(
                found.names, found.base.tolist(), answers, contributions.T.tolist(), strict=True
            )
        ]
        rows.append({"outputs": outputs})
    used = {"background": found.background, "samples": found.samples}
    return {**_head(target, plan), **used, "features": features, "rows": rows}


def permutation(target: Target, plan: Plan, features: list[str], score: str, found: Importances) -> Result:
    """Return the importance of each feature, in the signature's order."""
    listed = zip(features, found.mean.tolist(), found.deviation.tolist(), strict=True)
    return {
        **_head(target, plan),
        "samples": plan.request.repeats,
        "score": score,
        "baseline": None if score == "change" else found.baseline,
        "importances": [{"feature": name, "mean": mean, "deviation": deviation} for name, mean, deviation in listed],
    }


def _head(target: Target, plan: Plan) -> Result:
    request = plan.request
    return {"method": request.method.value, "model": target.model, "version": target.number, "seed": request.seed}
