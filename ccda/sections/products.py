"""What is given: consumable and product, the drug, vaccine or supply (C-CDA R2.1: 3.52, 3.36)."""

from dataclasses import dataclass
from typing import Final

from ccda import templates
from ccda.hl7v3 import CD, text_of
from ccda.narrative import Narrative
from ccda.safe_xml import Element
from ccda.sections.form import Form, code_form, person_name, read_code, without_none
from ccda.sections.participants import id_texts
from ccda.sections.statement import Statement, children_of, first, walk
from ccda.values import quickly_made

_GIVES: Final = frozenset(("substanceAdministration", "supply"))


@quickly_made
@dataclass(frozen=True, slots=True)
class Product:
    """A manufactured product; `name` is its trade name as written."""

    code: CD | None = None
    name: str | None = None
    lot_number: str | None = None
    manufacturer: str | None = None
    ids: tuple[str, ...] = ()


def read_product(statement: Statement, narrative: Narrative) -> Product:
    """The product of a substanceAdministration or supply; all None when none is named."""
    holder = statement.one("consumable")
    holder = statement.one("product") if holder is None else holder
    manufactured = first(holder, "manufacturedProduct")
    if manufactured is None and holder is None:
        inside = _product_inside(statement, narrative)
        return _product_in_code(statement, narrative) if inside == Product() else inside
    if manufactured is None:
        return Product()
    parts = children_of(manufactured)
    material = parts.get("manufacturedMaterial") or parts.get("manufacturedLabeledDrug")
    organization = parts.get("manufacturerOrganization")
    maker = None if organization is None else person_name(first(organization[0], "name"))
    if material is None:
        return Product(manufacturer=maker)
    content = children_of(material[0])
    code = narrative.code(content["code"][0]) if "code" in content else None
    name = narrative.text(content["name"][0]) if "name" in content else None
    lot = text_of(content["lotNumberText"][0]) if "lotNumberText" in content else None
    return Product(code, name, lot, maker, tuple(id_texts(parts)))


def _product_inside(statement: Statement, narrative: Narrative) -> Product:
    """Quirk: an administration that leaves it to its supply, or to its parts, to name the drug."""
    for inner in statement.inner:
        if inner.name in _GIVES:
            product = read_product(inner, narrative)
            if product != Product():
                return product
    return Product()


def _product_in_code(statement: Statement, narrative: Narrative) -> Product:
    """Quirk: an administration without a product, whose own code is that of a drug or vaccine."""
    code = statement.one("code")
    if code is None or code.get("codeSystem") not in templates.DRUGS:
        return Product()
    return Product(narrative.code(code))


def playing_device_code(statement: Statement) -> Element | None:
    """The first playingDevice with a code, of this statement or of a part of it."""
    for part in walk(statement):
        for participant in part.all("participant"):
            code = first(participant, "participantRole", "playingDevice", "code")
            if code is not None:
                return code
    return None


def product_form(statement: Statement, narrative: Narrative) -> Form | None:
    """The product of a statement that stands in the details of another one."""
    product = read_product(statement, narrative)
    form = without_none(
        code=code_form(product.code),
        name=product.name,
        lot_number=product.lot_number,
        manufacturer=product.manufacturer,
    )
    return form or None


def read_route(statement: Statement, narrative: Narrative) -> Form | None:
    return read_code(statement.one("routeCode"), narrative)
