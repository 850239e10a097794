"""Our own community, as partners see it."""

from dataclasses import dataclass

from ihe.identifiers import HomeCommunityId, Oid


@dataclass(frozen=True, slots=True)
class Community:
    """Who we are on the wire. Arcs under our own OID name what we assign."""

    home_community_id: HomeCommunityId
    organization: str

    @property
    def patient_authority(self) -> Oid:
        """The assigning authority of the patient ids we give to partners."""
        return self._arc(1)

    @property
    def repository(self) -> Oid:
        """The repository that holds everything we offer."""
        return self._arc(2)

    @property
    def device(self) -> Oid:
        """The gateway itself, as sender and receiver of HL7 V3 messages."""
        return self._arc(3)

    @property
    def messages(self) -> Oid:
        """The root of the ids of our HL7 V3 messages and queries."""
        return self._arc(4)

    @property
    def transactions(self) -> Oid:
        """The code system of the kinds of records for which no standard has a code."""
        return self._arc(5)

    def _arc(self, number: int) -> Oid:
        return Oid(f"{self.home_community_id}.{number}")
