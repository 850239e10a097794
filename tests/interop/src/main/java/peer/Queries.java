package peer;

import java.util.List;
import java.util.Map;
import org.openehealth.ipf.commons.ihe.xds.XCA;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLFactory30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLQueryResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntryType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.Query;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;
import org.openehealth.ipf.commons.ihe.xds.core.transform.requests.QueryRegistryTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.QueryResponseTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.validate.responses.QueryResponseValidator;
import org.openehealth.ipf.commons.ihe.xds.iti38.Iti38PortType;

/** ITI-38, initiating. */
record Queries(Iti38PortType port) {
    private static final EbXMLFactory30 EBXML = new EbXMLFactory30();

    List<DocumentEntry> find(Identifiable patient, Map<String, Object> said) {
        var query = new FindDocumentsQuery();
        query.setPatientId(patient);
        query.setStatus(List.of(AvailabilityStatus.APPROVED));
        query.setDocumentEntryTypes(
                List.of(DocumentEntryType.STABLE, DocumentEntryType.ON_DEMAND));
        return ask(query, said);
    }

    /** The same entries once more, by their unique ids. */
    List<DocumentEntry> get(List<DocumentEntry> entries, String home, Map<String, Object> said) {
        var query = new GetDocumentsQuery();
        query.setHomeCommunityId(home);
        query.setUniqueIds(entries.stream().map(DocumentEntry::getUniqueId).toList());
        return ask(query, said);
    }

    private List<DocumentEntry> ask(Query query, Map<String, Object> said) {
        var request = new QueryRegistry(query, QueryReturnType.LEAF_CLASS);
        var body = new QueryRegistryTransformer(EBXML).toEbXML(request).getInternal();
        var answer = new EbXMLQueryResponse30(port.documentRegistryRegistryStoredQuery(body));
        Step.noteSecurity(port, said);
        QueryResponseValidator.getInstance().validate(answer, XCA.Interactions.ITI_38);
        var response = new QueryResponseTransformer(EBXML).fromEbXML(answer);
        var entries = response.getDocumentEntries();
        said.put("outcome", response.getStatus().name());
        said.put("errors", response.getErrors().stream()
                .map(error -> String.valueOf(error.getErrorCode())).toList());
        said.put("documents", entries.stream().map(Queries::told).toList());
        if (response.getStatus() != Status.SUCCESS || entries.isEmpty()) {
            said.put("outcome", response.getStatus() + " without documents");
            return null;
        }
        return List.copyOf(entries);
    }

    private static Map<String, Object> told(DocumentEntry entry) {
        return Map.of(
                "unique_id", entry.getUniqueId(),
                "repository", entry.getRepositoryUniqueId(),
                "home", entry.getHomeCommunityId(),
                "mime_type", entry.getMimeType(),
                "hash", String.valueOf(entry.getHash()),
                "size", String.valueOf(entry.getSize()));
    }
}
