"""Our own WSDL: what `GET …?wsdl` answers, and what our client makes its operations from."""

from functools import cache
from importlib.resources import files
from typing import Literal
from xml.sax.saxutils import quoteattr

WsdlName = Literal["xcpd", "xca", "xdr"]


def wsdl_bytes(name: WsdlName, location: str) -> bytes:
    """The WSDL of a door, its port at `location`."""
    address = f"<soap12:address location={quoteattr(location)}/>"
    return _template(name).replace('<soap12:address location=""/>', address).encode()


@cache
def _template(name: WsdlName) -> str:
    return files(__package__).joinpath(f"{name}.wsdl").read_text("utf-8")
