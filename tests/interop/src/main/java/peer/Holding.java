package peer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Author;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Code;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.LocalizedString;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Organization;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Person;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.XpnName;

/** The one document the responder holds, and how it is entered in the registry. */
record Holding(byte[] bytes, DocumentEntry entry) {
    private static final String SNOMED = "2.16.840.1.113883.6.96";
    private static final String LOINC = "2.16.840.1.113883.6.1";

    static Holding of(Settings settings) throws Exception {
        var bytes = Files.readAllBytes(Path.of(settings.option("document")));
        return new Holding(bytes, entry(settings, bytes));
    }

    boolean isOf(Identifiable patient) {
        var own = entry.getPatientId();
        return patient.getId().equals(own.getId())
                && patient.getAssigningAuthority().getUniversalId()
                        .equals(own.getAssigningAuthority().getUniversalId());
    }

    boolean isNamed(List<String> entryIds, List<String> uniqueIds) {
        return (entryIds != null && entryIds.contains(entry.getEntryUuid()))
                || (uniqueIds != null && uniqueIds.contains(entry.getUniqueId()));
    }

    private static DocumentEntry entry(Settings settings, byte[] bytes) throws Exception {
        var patient = new Identifiable(settings.fact("patient.id"),
                new AssigningAuthority(settings.fact("patient.root"), "ISO"));
        var entry = new DocumentEntry();
        entry.setEntryUuid(settings.fact("document.entry-id"));
        entry.setUniqueId(settings.fact("document.unique-id"));
        entry.setHomeCommunityId(settings.fact("own.home"));
        entry.setRepositoryUniqueId(settings.fact("own.repository"));
        entry.setPatientId(patient);
        entry.setSourcePatientId(patient);
        entry.setAvailabilityStatus(AvailabilityStatus.APPROVED);
        entry.setMimeType(settings.fact("document.mime-type"));
        entry.setSize((long) bytes.length);
        entry.setHash(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(bytes)));
        entry.setLanguageCode("en-US");
        entry.setCreationTime("20240102030405");
        entry.setServiceStartTime("20240102");
        entry.setServiceStopTime("20240102");
        entry.setTitle(new LocalizedString("Summary of care"));
        entry.getAuthors().add(author());
        entry.setClassCode(code("34133-9", "Summarization of episode note", LOINC));
        entry.setTypeCode(code("34133-9", "Summarization of episode note", LOINC));
        entry.setFormatCode(code("urn:hl7-org:sdwg:ccda-structuredBody:2.1",
                "C-CDA R2.1 structured body", "1.3.6.1.4.1.19376.1.2.3"));
        entry.getConfidentialityCodes().add(code("N", "Normal", "2.16.840.1.113883.5.25"));
        entry.setHealthcareFacilityTypeCode(code("394777002", "Health encounter site", SNOMED));
        entry.setPracticeSettingCode(code("394802001", "General medicine", SNOMED));
        return entry;
    }

    private static Author author() {
        var person = new Person();
        person.setName(new XpnName("Osler", "Wilma", null, null, "Dr", null));
        var author = new Author();
        author.setAuthorPerson(person);
        author.getAuthorInstitution().add(new Organization("Interop Clinic"));
        return author;
    }

    private static Code code(String code, String display, String system) {
        return new Code(code, new LocalizedString(display), system);
    }
}
