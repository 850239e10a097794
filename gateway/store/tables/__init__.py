"""Every table, and nothing else. Rows never leave store/; every table names its plan.

`plan` is None only where something belongs to no plan: a shared partner, a refusal before
anyone was known, the house's own work.
"""

from sqlalchemy import Table
from sqlmodel import SQLModel

from gateway.store.tables.asking import (
    AwaitedAnswerRow,
    OwedAnswerRow,
    RetrievalPartnerRow,
    RetrievalRow,
    VisitClaimRow,
)
from gateway.store.tables.documents import (
    BlobRow,
    DocumentRow,
    EntryRow,
    OfferRow,
    QuarantineRow,
    ReplacementRow,
    SectionRow,
    SnapshotRow,
    SubmittedEntryRow,
    SummaryRow,
)
from gateway.store.tables.mail import (
    DirectKeyRow,
    MailboxCursorRow,
    MailClaimRow,
    MailNoticeRow,
    MailReceivedRow,
    MailRecipientRow,
    MailSentRow,
)
from gateway.store.tables.partners import (
    DelegationRow,
    DirectAnchorRow,
    DirectBundleAnchorRow,
    DirectBundleRow,
    DirectBundleVersionRow,
    LinkRow,
    OwnKeyRow,
    PartnerCertificateRow,
    PartnerHealthRow,
    PartnerLessonRow,
    PartnerRow,
    PatientLocationRow,
    PolicyRuleRow,
)
from gateway.store.tables.people import (
    HouseKeyRow,
    MemberKeyRow,
    MemberRow,
    PlanKeyRow,
    PlanRow,
    TokenRow,
)
from gateway.store.tables.record import (
    AuditDeadLetterRow,
    AuditFeedRow,
    CheckpointRow,
    DiscoveryTallyRow,
    DisposalRow,
    ExchangeDocumentRow,
    ExchangeHeadRow,
    ExchangeOpenRow,
    ExchangeRow,
    LegalHoldRow,
    LogMonthRow,
    RefusalRow,
    ReplayRow,
    SettingSeenRow,
    WireMessageRow,
)
from gateway.store.tables.row import METADATA
from gateway.store.tables.work import (
    JobKeyRow,
    JobRow,
    ScheduleRow,
)

__all__ = ["METADATA"]


def _table(row: type[SQLModel]) -> Table:
    return METADATA.tables[str(row.__tablename__)]


plan = _table(PlanRow)
member = _table(MemberRow)
member_key = _table(MemberKeyRow)
token = _table(TokenRow)
plan_key = _table(PlanKeyRow)
house_key = _table(HouseKeyRow)
partner = _table(PartnerRow)
partner_certificate = _table(PartnerCertificateRow)
partner_health = _table(PartnerHealthRow)
partner_lesson = _table(PartnerLessonRow)
direct_anchor = _table(DirectAnchorRow)
direct_bundle = _table(DirectBundleRow)
direct_bundle_version = _table(DirectBundleVersionRow)
direct_bundle_anchor = _table(DirectBundleAnchorRow)
delegation = _table(DelegationRow)
own_key = _table(OwnKeyRow)
policy_rule = _table(PolicyRuleRow)
link = _table(LinkRow)
patient_location = _table(PatientLocationRow)
blob = _table(BlobRow)
document = _table(DocumentRow)
replacement = _table(ReplacementRow)
submitted_entry = _table(SubmittedEntryRow)
quarantine = _table(QuarantineRow)
offer = _table(OfferRow)
snapshot = _table(SnapshotRow)
section = _table(SectionRow)
entry = _table(EntryRow)
summary = _table(SummaryRow)
retrieval = _table(RetrievalRow)
retrieval_partner = _table(RetrievalPartnerRow)
mail_received = _table(MailReceivedRow)
mail_claim = _table(MailClaimRow)
mailbox_cursor = _table(MailboxCursorRow)
mail_sent = _table(MailSentRow)
mail_recipient = _table(MailRecipientRow)
mail_notice = _table(MailNoticeRow)
direct_key = _table(DirectKeyRow)
exchange = _table(ExchangeRow)
exchange_document = _table(ExchangeDocumentRow)
log_month = _table(LogMonthRow)
legal_hold = _table(LegalHoldRow)
disposal = _table(DisposalRow)
wire_message = _table(WireMessageRow)
exchange_head = _table(ExchangeHeadRow)
checkpoint = _table(CheckpointRow)
audit_feed = _table(AuditFeedRow)
audit_dead_letter = _table(AuditDeadLetterRow)
exchange_open = _table(ExchangeOpenRow)
refusal = _table(RefusalRow)
replay = _table(ReplayRow)
setting_seen = _table(SettingSeenRow)
discovery_tally = _table(DiscoveryTallyRow)
awaited_answer = _table(AwaitedAnswerRow)
visit_claim = _table(VisitClaimRow)
owed_answer = _table(OwedAnswerRow)
job = _table(JobRow)
job_key = _table(JobKeyRow)
schedule = _table(ScheduleRow)
