"""Puts the parts of the service together, and runs them; nothing else."""

from gateway.app.applying import policy_rule
from gateway.app.house import House, log_seal, open_client, open_house
from gateway.app.listening import listeners
from gateway.app.mail import direct_means, own_certificates, take_mail
from gateway.app.serving import answer_partners, serve, settle, work
from gateway.app.working import working

__all__ = [
    "House",
    "answer_partners",
    "direct_means",
    "listeners",
    "log_seal",
    "open_client",
    "open_house",
    "own_certificates",
    "policy_rule",
    "serve",
    "settle",
    "take_mail",
    "work",
    "working",
]
