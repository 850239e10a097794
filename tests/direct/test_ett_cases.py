"""Each of the 89 mail cases that ETT publishes, and the tests that hold it, by name.

ETT tests edges and HISPs of every kind. Some of its cases are for a server whose mailboxes others
read, and some for a client of POP3: neither is any part of this gateway, and they are listed as
such, so that a new case cannot be overlooked.
"""

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).resolve().parents[1]
PUBLISHED: Final = TESTS.parents[1] / "shared" / "samples/direct/ett/ett-smtp-cases.json"
SMTP = "gateway/intakes/test_smtp_ett.py"
CLIENT = "gateway/clients/test_smtp_client.py"
IMAP = "gateway/intakes/test_imap.py"
CONTENT = "gateway/exchange/test_mail_content.py"
FLOW = "flows/test_direct.py"

_ANY_ORDER = f"{CONTENT}::test_ett_smtp_25_and_imap_pop_28_attachments_in_any_order"
_STYLES = f"{CONTENT}::test_ett_smtp_26_and_imap_pop_29_a_broken_stylesheet_keeps_no_document_out"
_XHTML = f"{CONTENT}::test_ett_smtp_27_and_imap_pop_30_bad_xhtml_keeps_no_document_out"
_ANY_TYPE = f"{CONTENT}::test_ett_smtp_28_and_imap_pop_27_xdm_under_any_mime_type"
_METADATA = f"{CONTENT}::test_ett_smtp_29_any_mime_type_in_metadata_xml"
_KINDS = f"{CONTENT}::test_ett_imap_pop_31_different_attachment_types_are_all_found"
_BAD_ADDRESS = f"{FLOW}::test_mt_1_5_9_23_a_bad_address_is_reported_as_failed"
_UNTRUSTED = f"{FLOW}::test_mt_2_6_10_24_an_untrusted_receiver_is_reported_and_gets_nothing"
_UNPUBLISHED = f"{FLOW}::test_mt_3_7_11_25_a_receiver_without_a_certificate_is_reported"
_UNPROCESSED = f"{FLOW}::test_mt_4_8_12_26_no_processed_notice_in_time_is_reported"
_UNDISPATCHED = f"{FLOW}::test_mt_27_no_dispatched_notice_in_time_is_reported"
_LATE = f"{FLOW}::test_mt_28_a_late_dispatched_notice_does_not_undo_the_failure"
_DELIVERED = f"{FLOW}::test_mt_21_29_39_a_summary_is_filed_and_both_notices_come_back"
_UNIQUE = f"{FLOW}::test_mt_17_45_each_message_has_an_id_of_its_own"
_ASKS = f"{FLOW}::test_mt_46_a_message_asks_for_final_delivery_in_its_options"

HELD: Final[dict[str, tuple[str, ...]]] = {
    "1": (f"{CLIENT}::test_ett_smtp_8_14_18_a_smarthost_is_logged_in_to_by_plain_under_starttls",),
    "2": (f"{CLIENT}::test_tls_is_used_when_an_mx_offers_it_whoever_it_is",),
    "16": (f"{SMTP}::test_ett_smtp_9_16_20_starttls_and_plain_sasl_then_a_message",),
    "10": (f"{SMTP}::test_ett_smtp_10_invalid_data_is_rejected",),
    "11": (
        f"{SMTP}::test_ett_smtp_11_bad_commands_are_rejected",
        f"{SMTP}::test_ett_smtp_11_too_many_bad_commands_end_the_session",
    ),
    "13": (
        f"{SMTP}::test_ett_smtp_13_a_silent_command_times_out",
        f"{SMTP}::test_ett_smtp_13_a_message_that_drips_times_out_as_a_whole",
    ),
    "22": (f"{SMTP}::test_ett_smtp_22_invalid_credentials_are_rejected",),
    "117": (_UNIQUE,),
    "145": (_UNIQUE, _ASKS),
    "146": (_ASKS,),
    "147": (f"{FLOW}::test_mt_47_a_part_of_the_recipients_fails_and_the_others_get_it",),
    **dict.fromkeys(("91", "92", "93", "94", "95", "96", "228", "328"), (_ANY_ORDER,)),
    **dict.fromkeys(("97", "98", "2291", "2292", "3291", "3292"), (_STYLES,)),
    **dict.fromkeys(("99", "230", "330"), (_XHTML,)),
    **dict.fromkeys(("100", "227", "327"), (_ANY_TYPE,)),
    "90": (_METADATA,),
    **dict.fromkeys(("231", "331"), (_KINDS,)),
    **dict.fromkeys(("101", "105", "109", "523", "123", "623"), (_BAD_ADDRESS,)),
    **dict.fromkeys(("102", "106", "110", "524", "124", "624"), (_UNTRUSTED,)),
    **dict.fromkeys(("103", "107", "111", "525", "125", "625"), (_UNPUBLISHED,)),
    **dict.fromkeys(("104", "108", "112", "526", "126", "626"), (_UNPROCESSED,)),
    **dict.fromkeys(("527", "127", "157"), (_UNDISPATCHED,)),
    **dict.fromkeys(("528", "128", "158"), (_LATE,)),
    **dict.fromkeys(("521", "121", "151", "529", "129", "159", "139"), (_DELIVERED,)),
    "140": (f"{FLOW}::test_mt_40_a_bad_options_header_gets_processed_alone",),
    "142": (
        f"{FLOW}::test_mt_41_what_is_trusted_and_cannot_be_delivered_gets_processed_and_failed",
    ),
    "219": (f"{IMAP}::test_starttls_verifies_too_and_forgets_what_came_in_the_clear",),
    "221": (f"{IMAP}::test_ett_imap_21_the_folder_that_was_stated_is_selected_as_it_is_written",),
    "225": (f"{IMAP}::test_the_next_poll_begins_where_the_last_one_ended",),
}
OF_A_MAILBOX_SERVER: Final = frozenset({"201", "205", "209", "210", "217", "232"})
"""IMAP, served: nobody reads mail in mailboxes of ours."""
OF_POP3: Final = frozenset({"301", "303", "309", "310", "317", "319", "332"})
"""POP3, served or asked: a mailbox at a HISP is polled by IMAP."""


@cache
def defined(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(one.name for one in tree.body if isinstance(one, kinds))


def named() -> Iterator[str]:
    for tests in HELD.values():
        yield from tests


@pytest.mark.parametrize("test", sorted(set(named())))
def test_ett_names_a_test_that_there_is(test: str) -> None:
    file, _, name = test.partition("::")
    assert name in defined(file)


def test_ett_each_case_has_one_place() -> None:
    assert not set(HELD) & (OF_A_MAILBOX_SERVER | OF_POP3)
    assert len(HELD) + len(OF_A_MAILBOX_SERVER) + len(OF_POP3) == 89


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the shared samples are not here")
def test_ett_no_published_case_is_overlooked() -> None:
    published = {str(one["id"]) for one in json.loads(PUBLISHED.read_text(encoding="utf-8"))}
    assert set(HELD) | OF_A_MAILBOX_SERVER | OF_POP3 == published
