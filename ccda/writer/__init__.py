"""A summary written as a clinical document: `write_ccd(summary, …) -> bytes` (C-CDA R2.1)."""

from ccda.writer.document import write_ccd
from ccda.writer.header import AuthoringDevice, Organization

__all__ = ["AuthoringDevice", "Organization", "write_ccd"]
