"""What a mail server's refusal means: its codes, and our words in place of its own."""

import pytest

from gateway.clients.smtp_replies import in_our_words


@pytest.mark.parametrize(
    ("code", "said", "meant"),
    [
        (550, "5.1.1 <anne@x.test> mailbox of Jane Doe", "550 5.1.1, there is no such mailbox"),
        (550, "5.1.1", "550 5.1.1, there is no such mailbox"),
        (452, "4.2.2 Jane Doe\n4.2.2 is over quota", "452 4.2.2, the mailbox is full"),
        (556, "5.1.10 null MX", "556 5.1.10, the domain takes no mail"),
        (550, "5.7.26 not authenticated", "550 5.7.26, it is about security or policy"),
        (550, "5.9.9 x", "550 5.9.9, the mailbox is not to be had"),
        (550, "mailbox of Jane Doe unavailable", "550, the mailbox is not to be had"),
        (550, "Jane 5.1.1 Doe", "550, the mailbox is not to be had"),
        (550, "5.1.1990 Doe", "550, the mailbox is not to be had"),
        (550, "", "550, the mailbox is not to be had"),
        (599, "Jane Doe", "599"),
    ],
)
def test_codes_are_kept_and_words_are_ours(code: int, said: str, meant: str) -> None:
    assert in_our_words(code, said) == meant
