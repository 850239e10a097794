"""The small types of ids, so that one is never taken for another. All are opaque outside store/."""

from typing import NewType

PlanId = NewType("PlanId", str)
MemberId = NewType("MemberId", str)
PartnerId = NewType("PartnerId", str)
DocumentId = NewType("DocumentId", str)
RetrievalId = NewType("RetrievalId", str)
ConversationId = NewType("ConversationId", str)
MailId = NewType("MailId", str)
