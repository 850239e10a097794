"""The FastAPI applications, one a listener (DECISIONS 7)."""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI

from gateway.api import (
    direct_sending,
    disclosures,
    docs,
    documents,
    endings,
    exchange_reports,
    exchanges,
    fhir,
    health,
    held,
    mail,
    members,
    messages,
    metrics,
    partners,
    quarantine,
    retrievals,
    soap,
    submissions,
    summaries,
    views,
)
from gateway.api.means import PlanMeans
from gateway.api.metrics import Meters
from gateway.api.partner_means import PartnerMeans
from gateway.api.problems import PROBLEM_SCHEMA

_PLAN_ROUTES: Final = (
    members, disclosures, summaries, retrievals, submissions, documents, views, held, quarantine,
    messages, direct_sending, mail, exchange_reports, exchanges, partners, fhir,
)  # fmt: skip

Check = Callable[[], str | None]


def create_plan_application(
    means: PlanMeans, *, check: Check | None = None, meters: Meters | None = None
) -> FastAPI:
    """The REST doors for plans; with `check`, health on the same port, and with `meters` what is
    measured (loopback only)."""
    application = FastAPI(
        title="Document exchange gateway",
        description="One merged, sourced clinical summary per member.",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send a path, and with it ids, back in a header
    )
    application.state.means = means
    application.state.database = means.archive.database
    endings.install(application)
    for routes in _PLAN_ROUTES:
        application.include_router(routes.router, responses=PROBLEM_SCHEMA)
    docs.install(application)
    if check is not None:
        application.state.check = check
        application.include_router(health.router)
    _measure(application, meters)
    return application


def create_partner_application(means: PartnerMeans) -> FastAPI:
    """The SOAP doors for partners; nothing else answers there."""
    application = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    application.state.means = means
    # Taken over as they are: in a router that is included each request is matched twice.
    application.router.routes.extend(soap.router.routes)
    return application


def create_operations_application(check: Check, meters: Meters | None = None) -> FastAPI:
    """Health, and what is measured, for whoever runs the gateway."""
    application = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    application.state.check = check
    endings.install(application)
    application.include_router(health.router)
    _measure(application, meters)
    return application


def _measure(application: FastAPI, meters: Meters | None) -> None:
    if meters is not None:
        application.state.meters = meters
        application.include_router(metrics.router)
