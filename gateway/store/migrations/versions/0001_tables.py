"""The first tables."""

import sqlalchemy as sa
from alembic import op

from gateway.store.column_types import BigNumber, UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "exchange",
        sa.Column("sequence", BigNumber, autoincrement=False, nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("transaction", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("partner", sa.String(), nullable=True),
        sa.Column("peer", sa.String(), nullable=True),
        sa.Column("person", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=True),
        sa.Column("authority", sa.String(), nullable=True),
        sa.Column("member", sa.String(), nullable=True),
        sa.Column("documents", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("conversation", sa.String(), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("canon", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("exchange_primary")),
    )
    op.create_index(
        "exchange_of_conversation", "exchange", ["conversation", "sequence"], unique=False
    )
    op.create_index("exchange_of_member", "exchange", ["member", "sequence"], unique=False)
    op.create_index("exchange_of_plan", "exchange", ["plan", "sequence"], unique=False)
    op.create_table(
        "exchange_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("sequence", BigNumber, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("exchange_head_primary")),
    )
    op.create_table(
        "exchange_open",
        sa.Column("id", BigNumber, nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("exchange_open_primary")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "job",
        sa.Column("id", BigNumber, nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("run_at", UtcTime(), nullable=False),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("job_primary")),
        sqlite_autoincrement=True,
    )
    op.create_index("job_due", "job", ["state", "run_at"], unique=False)
    op.create_table(
        "job_key",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("job", BigNumber, nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("job_key_primary")),
    )
    op.create_index(op.f("job_key_by_created"), "job_key", ["created"], unique=False)
    op.create_table(
        "plan",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("member_id_root", sa.String(), nullable=True),
        sa.Column("treatment_agreement", sa.String(), nullable=True),
        sa.Column("requester_role", sa.String(), nullable=True),
        sa.Column("authority", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("plan_primary")),
    )
    op.create_table(
        "refusal",
        sa.Column("minute", UtcTime(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("transaction", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("first", UtcTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "minute", "peer", "reason", "transaction", name=op.f("refusal_primary")
        ),
    )
    op.create_table(
        "replay",
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("expires", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "key", name=op.f("replay_primary")),
    )
    op.create_index(op.f("replay_by_expires"), "replay", ["expires"], unique=False)
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("next_run", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("schedule_primary")),
    )
    op.create_table(
        "blob",
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("size_bytes", BigNumber, nullable=False),
        sa.Column("sha1", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("blob_names_plan")),
        sa.PrimaryKeyConstraint("plan", "address", name=op.f("blob_primary")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "member",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("demographics", sa.Text(), nullable=False),
        sa.Column("coverage_start", sa.String(), nullable=True),
        sa.Column("coverage_end", sa.String(), nullable=True),
        sa.Column("opted_out", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("member_names_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("member_primary")),
    )
    op.create_index("member_by_number", "member", ["plan", "member_id"], unique=True)
    op.create_table(
        "partner",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("home_community_id", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=True),
        sa.Column("endpoints", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("partner_names_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("partner_primary")),
    )
    op.create_index(
        op.f("partner_by_home_community_id"), "partner", ["home_community_id"], unique=False
    )
    op.create_index(op.f("partner_by_plan"), "partner", ["plan"], unique=False)
    op.create_table(
        "plan_key",
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("kek_id", sa.String(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("plan_key_names_plan")),
        sa.PrimaryKeyConstraint("plan", "generation", name=op.f("plan_key_primary")),
    )
    op.create_table(
        "policy_rule",
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("policy_rule_names_plan")),
        sa.PrimaryKeyConstraint("plan", "name", name=op.f("policy_rule_primary")),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.Column("expires", UtcTime(), nullable=True),
        sa.Column("revoked", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("token_names_plan")),
        sa.PrimaryKeyConstraint("id", name=op.f("token_primary")),
        sa.UniqueConstraint("secret_hash", name=op.f("token_has_one_secret_hash")),
    )
    op.create_index(op.f("token_by_plan"), "token", ["plan"], unique=False)
    op.create_table(
        "document",
        sa.Column("number", BigNumber, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("blob_address", sa.String(), nullable=False),
        sa.Column("source_key", sa.String(), nullable=False),
        sa.Column("door", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=True),
        sa.Column("partner_name", sa.String(), nullable=True),
        sa.Column("source_community", sa.String(), nullable=True),
        sa.Column("repository_unique_id", sa.String(), nullable=True),
        sa.Column("document_unique_id", sa.String(), nullable=True),
        sa.Column("received", UtcTime(), nullable=False),
        sa.Column("member", sa.String(), nullable=True),
        sa.Column("candidate", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("mime_type", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("type_code", sa.String(), nullable=True),
        sa.Column("type_system", sa.String(), nullable=True),
        sa.Column("type_display", sa.String(), nullable=True),
        sa.Column("effective_time", sa.String(), nullable=True),
        sa.Column("clinical_id", sa.String(), nullable=True),
        sa.Column("set_id", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("superseded_by", sa.String(), nullable=True),
        sa.Column("author", sa.String(), nullable=True),
        sa.Column("custodian", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["candidate"], ["member.id"], name=op.f("document_names_candidate")
        ),
        sa.ForeignKeyConstraint(["member"], ["member.id"], name=op.f("document_names_member")),
        sa.ForeignKeyConstraint(
            ["plan", "blob_address"],
            ["blob.plan", "blob.address"],
            name=op.f("document_names_plan_blob_address"),
        ),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("document_names_plan")),
        sa.PrimaryKeyConstraint("number", name=op.f("document_primary")),
        sa.UniqueConstraint("id", name=op.f("document_has_one_id")),
    )
    op.create_index("document_by_clinical_id", "document", ["plan", "clinical_id"], unique=False)
    op.create_index("document_by_set", "document", ["plan", "set_id"], unique=False)
    op.create_index(
        "document_by_unique_id", "document", ["plan", "document_unique_id"], unique=False
    )
    op.create_index("document_of_member", "document", ["plan", "member", "state"], unique=False)
    op.create_index(
        "document_once", "document", ["plan", "blob_address", "source_key"], unique=True
    )
    op.create_table(
        "link",
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("home_community_id", sa.String(), nullable=False),
        sa.Column("patient_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("found", UtcTime(), nullable=False),
        sa.Column("is_decided", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["member.id"], name=op.f("link_names_member")),
        sa.ForeignKeyConstraint(["partner"], ["partner.id"], name=op.f("link_names_partner")),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("link_names_plan")),
        sa.PrimaryKeyConstraint(
            "plan",
            "member",
            "partner",
            "home_community_id",
            "patient_id",
            name=op.f("link_primary"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "link_by_patient", "link", ["plan", "home_community_id", "patient_id"], unique=False
    )
    op.create_table(
        "member_key",
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["member.id"], name=op.f("member_key_names_member")),
        sa.PrimaryKeyConstraint("plan", "kind", "value", "member", name=op.f("member_key_primary")),
        sqlite_with_rowid=False,
    )
    op.create_index("member_key_of", "member_key", ["member"], unique=False)
    op.create_table(
        "partner_certificate",
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("usage", sa.String(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner"], ["partner.id"], name=op.f("partner_certificate_names_partner")
        ),
        sa.PrimaryKeyConstraint(
            "partner", "usage", "ordinal", name=op.f("partner_certificate_primary")
        ),
    )
    op.create_index(
        "partner_certificate_by_fingerprint",
        "partner_certificate",
        ["fingerprint", "usage"],
        unique=False,
    )
    op.create_table(
        "retrieval",
        sa.Column("number", BigNumber, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("authority", sa.String(), nullable=True),
        sa.Column("conversation", sa.String(), nullable=False),
        sa.Column("created", UtcTime(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", sa.String(), nullable=True),
        sa.Column("finished", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["member"], ["member.id"], name=op.f("retrieval_names_member")),
        sa.ForeignKeyConstraint(["plan"], ["plan.id"], name=op.f("retrieval_names_plan")),
        sa.PrimaryKeyConstraint("number", name=op.f("retrieval_primary")),
        sa.UniqueConstraint("id", name=op.f("retrieval_has_one_id")),
    )
    op.create_index("retrieval_of_member", "retrieval", ["plan", "member"], unique=False)
    op.create_table(
        "summary",
        sa.Column("member", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("as_of", UtcTime(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["member"], ["member.id"], name=op.f("summary_names_member")),
        sa.PrimaryKeyConstraint("member", name=op.f("summary_primary")),
    )
    op.create_table(
        "entry",
        sa.Column("document", BigNumber, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("section", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("code_system", sa.String(), nullable=True),
        sa.Column("display", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column("start_time", sa.String(), nullable=True),
        sa.Column("end_time", sa.String(), nullable=True),
        sa.Column("at_time", sa.String(), nullable=True),
        sa.Column("negated", sa.Boolean(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("rest", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("entry_names_document")
        ),
        sa.PrimaryKeyConstraint("document", "ordinal", name=op.f("entry_primary")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "offer",
        sa.Column("document", BigNumber, nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("entry_uuid", sa.String(), nullable=False),
        sa.Column("unique_id", sa.String(), nullable=False),
        sa.Column("class_code", sa.String(), nullable=True),
        sa.Column("confidentiality", sa.String(), nullable=True),
        sa.Column("third_party", sa.Boolean(), nullable=False),
        sa.Column("entry_xml", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("offer_names_document")
        ),
        sa.PrimaryKeyConstraint("document", name=op.f("offer_primary")),
        sa.UniqueConstraint("entry_uuid", name=op.f("offer_has_one_entry_uuid")),
        sa.UniqueConstraint("unique_id", name=op.f("offer_has_one_unique_id")),
    )
    op.create_table(
        "quarantine",
        sa.Column("document", BigNumber, nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first", UtcTime(), nullable=False),
        sa.Column("last", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("quarantine_names_document")
        ),
        sa.PrimaryKeyConstraint("document", name=op.f("quarantine_primary")),
    )
    op.create_table(
        "replacement",
        sa.Column("document", BigNumber, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("clinical_id", sa.String(), nullable=True),
        sa.Column("set_id", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("replacement_names_document")
        ),
        sa.PrimaryKeyConstraint("document", "ordinal", name=op.f("replacement_primary")),
        sqlite_with_rowid=False,
    )
    op.create_index("replacement_of_document", "replacement", ["plan", "clinical_id"], unique=False)
    op.create_index(
        "replacement_of_version", "replacement", ["plan", "set_id", "version"], unique=False
    )
    op.create_table(
        "retrieval_partner",
        sa.Column("retrieval", BigNumber, nullable=False),
        sa.Column("partner", sa.String(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("partner_name", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("documents_found", sa.Integer(), nullable=False),
        sa.Column("documents_new", sa.Integer(), nullable=False),
        sa.Column("documents_missing", sa.Integer(), nullable=False),
        sa.Column("elapsed_ms", sa.Integer(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["retrieval"], ["retrieval.number"], name=op.f("retrieval_partner_names_retrieval")
        ),
        sa.PrimaryKeyConstraint("retrieval", "partner", name=op.f("retrieval_partner_primary")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "section",
        sa.Column("document", BigNumber, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("plan", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("code_system", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("rest", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("section_names_document")
        ),
        sa.PrimaryKeyConstraint("document", "ordinal", name=op.f("section_primary")),
        sqlite_with_rowid=False,
    )
