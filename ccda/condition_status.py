"""How a condition or an allergy stands, as far as its document says (C-CDA R2.1: 3.77 to 3.79)."""

from collections.abc import Mapping

from ccda.model import Entry


def condition_status(entry: Entry) -> str | None:
    """Its status; None where `completed` only says that the observation was made.

    C-CDA R2.1 fixes the statusCode of an observation to completed. Only the act that tracks it as
    a concern, or a status observation, says whether the condition goes on.
    """
    if entry.status == "completed" and _is_observations_own(entry):
        return None
    return entry.status


def _is_observations_own(entry: Entry) -> bool:
    if entry.kind == "concern":
        return entry.value is not None  # an observation in the place of the act
    if entry.kind not in ("problem", "allergy") or "clinical_status" in entry.details:
        return False
    concern = entry.details.get("concern")
    return not (isinstance(concern, Mapping) and concern.get("status"))
