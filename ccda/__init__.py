"""C-CDA documents read into plain values: `parse_document(bytes) -> ClinicalDocument`.

No network, disk, clock or logging: same bytes, same document.
"""

from ccda.document import parse_document
from ccda.errors import CcdaError
from ccda.model import ClinicalDocument
from ccda.participations import read_participations

__all__ = ["CcdaError", "ClinicalDocument", "parse_document", "read_participations"]
