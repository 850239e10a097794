"""Our own summaries, recognised when they come back from a partner (DECISIONS 10).

What they say was read from other documents. Counted again it would confirm itself, and bring back
what its sources have withdrawn.
"""

from typing import Final

from ccda.model import Author, ClinicalDocument
from gateway.model.community import Community

SOFTWARE: Final = "Document exchange gateway"
"""What we call ourselves as the device that writes a summary."""


def is_derived(document: ClinicalDocument, community: Community) -> bool:
    """Whether it is one of ours, by what we write into the header of each.

    Its own id or its set's stands under our root; else all that wrote it is our device, told by
    its id or, where a partner took the ids away, by its name beside our name as custodian.
    """
    ours = str(community.messages)
    if any(one is not None and one.root == ours for one in (document.id, document.set_id)):
        return True
    custodian = (document.custodian or "").casefold().strip()
    is_kept_by_us = custodian == community.organization.casefold().strip()
    return bool(document.authors) and all(
        _is_our_device(author, str(community.device), by_name=is_kept_by_us)
        for author in document.authors
    )


def _is_our_device(author: Author, device: str, *, by_name: bool) -> bool:
    if any(one.root == device for one in author.ids):
        return True
    return by_name and author.name is None and author.device == SOFTWARE
