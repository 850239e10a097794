"""What a submission's SOAP header says beside addressing and security.

XDR and XDM for Direct Messaging: 4: the edge of a HISP says from whom to whom, and how full the
metadata is. ITI TF-2: 3.80.4.1.2: XCDR's sources may name the target community there.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ccda.safe_xml import Element
from ihe.identifiers import HomeCommunityId

MetadataLevel = Literal["minimal", "XDS"]
_DIRECT: Final = "{urn:direct:addressing}"
_XDR: Final = "{urn:ihe:iti:xdr:2014}"
ADDRESS_BLOCK: Final = f"{_DIRECT}addressBlock"
METADATA_LEVEL: Final = f"{_DIRECT}metadata-level"
HOME_COMMUNITY_BLOCK: Final = f"{_XDR}homeCommunityBlock"
_LONGEST: Final = 320
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class AddressBlock:
    """From whom to whom a HISP's edge passes the documents, and how much their metadata says."""

    sender: str | None
    recipients: tuple[str, ...]
    metadata_level: MetadataLevel | None = None


def read_address_block(header: Element) -> AddressBlock | None:
    """The block of a Direct edge; None where there is none.

    Quirk: addresses stand there with `mailto:` and without, and the level beside or in the block.
    """
    block = header.find(ADDRESS_BLOCK)
    if block is None:
        return None
    level = header.find(METADATA_LEVEL)
    stated = _text(block.find(METADATA_LEVEL) if level is None else level)
    senders = _addresses(block, "from")
    return AddressBlock(
        sender=next(iter(senders), None),
        recipients=_addresses(block, "to"),
        metadata_level=_LEVELS.get((stated or "").lower()),
    )


_LEVELS: Final[dict[str, MetadataLevel]] = {"minimal": "minimal", "xds": "XDS"}


def _addresses(block: Element, name: str) -> tuple[str, ...]:
    texts = (_text(each) for each in block.iterfind(f"{_DIRECT}{name}"))
    found = [text[7:] if text[:7].lower() == "mailto:" else text for text in texts if text]
    return tuple(each for each in found[:_MOST] if len(each) <= _LONGEST and each.isprintable())


def read_home_community_block(header: Element) -> HomeCommunityId | None:
    """The community that the header names as the target; None where it names none."""
    try:
        found = header.find(f"{HOME_COMMUNITY_BLOCK}/{_XDR}homeCommunityId")
        return HomeCommunityId.parse(_text(found) or "")
    except ValueError:
        return None


def _text(element: Element | None) -> str | None:
    return None if element is None else (element.text or "").strip() or None
