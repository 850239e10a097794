"""What can be wrong with the bytes of a document, as exceptions.

CcdaError
├─ MalformedXml            the bytes are not well-formed XML in an encoding we read
│  └─ DoctypeRefused       they carry a DOCTYPE; no HL7 or IHE message has one
├─ XmlOverLimit            well-formed as far as read, but larger or deeper than we take
└─ NotAClinicalDocument    XML, but its root is no HL7 V3 ClinicalDocument

Only these leave the library. One broken entry is an `Issue` in the document, never an exception.
"""


class CcdaError(Exception):
    """Something is wrong with the bytes; the text never quotes them."""


class MalformedXml(CcdaError):
    """The bytes are not well-formed XML in an encoding we read."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"{reason} (line {line})")
        self.reason = reason
        self.line = line


class DoctypeRefused(MalformedXml):
    """A DOCTYPE can define entities and read files; it is refused before anything is parsed."""

    def __init__(self) -> None:
        super().__init__("a DOCTYPE is not accepted")


class XmlOverLimit(CcdaError):
    """One of our own caps was reached: `limit` names it."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"the XML exceeds the limit on {limit}")
        self.limit = limit


class NotAClinicalDocument(CcdaError):
    """XML, but its root is no ClinicalDocument."""

    def __init__(self) -> None:
        super().__init__("the root element is not an HL7 V3 ClinicalDocument")
