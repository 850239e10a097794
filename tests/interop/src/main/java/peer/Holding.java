package peer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.function.Predicate;
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
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;

/** What the responder holds, as entered in its registry; the last of it are lost. */
record Holding(List<Held> held, int lost) {
    private static final String SNOMED = "2.16.840.1.113883.6.96";
    private static final String LOINC = "2.16.840.1.113883.6.1";

    record Held(byte[] bytes, DocumentEntry entry) {}

    static Holding of(Settings settings) throws Exception {
        var held = new ArrayList<Held>();
        for (var file : settings.option("document").split(",")) {
            var bytes = Files.readAllBytes(Path.of(file));
            var entry = entry(settings, bytes, held.size());
            entry.setMimeType(file.endsWith(".pdf") ? "application/pdf" : "text/xml");
            held.add(new Held(bytes, entry));
        }
        return new Holding(List.copyOf(held), Integer.parseInt(settings.option("lost", "0")));
    }

    List<DocumentEntry> of(Identifiable patient) {
        return entries(entry -> {
            var own = entry.getPatientId();
            return patient.getId().equals(own.getId())
                    && patient.getAssigningAuthority().getUniversalId()
                            .equals(own.getAssigningAuthority().getUniversalId());
        });
    }

    List<DocumentEntry> named(List<String> entryIds, List<String> uniqueIds) {
        return entries(entry -> (entryIds != null && entryIds.contains(entry.getEntryUuid()))
                || (uniqueIds != null && uniqueIds.contains(entry.getUniqueId())));
    }

    private List<DocumentEntry> entries(Predicate<DocumentEntry> wanted) {
        return held.stream().map(Held::entry).filter(wanted).toList();
    }

    /** What is held under a reference, null if it is lost or was never there. */
    Held find(DocumentReference reference) {
        return held.subList(0, held.size() - lost).stream()
                .filter(one -> one.entry().getUniqueId().equals(reference.getDocumentUniqueId())
                        && one.entry().getRepositoryUniqueId()
                                .equals(reference.getRepositoryUniqueId())
                        && one.entry().getHomeCommunityId()
                                .equals(reference.getHomeCommunityId()))
                .findFirst().orElse(null);
    }

    /** Ids of the first are those in the facts file. */
    private static DocumentEntry entry(Settings settings, byte[] bytes, int position)
            throws Exception {
        var patient = new Identifiable(settings.fact("patient.id"),
                new AssigningAuthority(settings.fact("patient.root"), "ISO"));
        var entry = new DocumentEntry();
        entry.setEntryUuid(position == 0 ? settings.fact("document.entry-id")
                : "urn:uuid:" + UUID.randomUUID());
        entry.setUniqueId(
                settings.fact("document.unique-id") + (position == 0 ? "" : "." + position));
        entry.setHomeCommunityId(settings.fact("own.home"));
        entry.setRepositoryUniqueId(settings.fact("own.repository"));
        entry.setPatientId(patient);
        entry.setSourcePatientId(patient);
        entry.setAvailabilityStatus(AvailabilityStatus.APPROVED);
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
