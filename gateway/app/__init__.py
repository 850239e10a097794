"""Puts the parts of the service together, and runs them; nothing else."""

from gateway.app.applying import policy_rule
from gateway.app.house import House, log_seal, open_client, open_house
from gateway.app.listening import listeners
from gateway.app.mail import direct_means, take_mail
from gateway.app.serving import serve, settle, work
from gateway.app.working import working

__all__ = [
    "House",
    "direct_means",
    "listeners",
    "log_seal",
    "open_client",
    "open_house",
    "policy_rule",
    "serve",
    "settle",
    "take_mail",
    "work",
    "working",
]
