package peer;

import java.util.List;
import java.util.Map;
import org.apache.camel.Exchange;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntryType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.QueryReturnType;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

/** ITI-38, initiating: what is asked, and what an answer says. */
final class Queries {
    private Queries() {}

    static QueryRegistry find(Identifiable patient) {
        var query = new FindDocumentsQuery();
        query.setPatientId(patient);
        query.setStatus(List.of(AvailabilityStatus.APPROVED));
        query.setDocumentEntryTypes(
                List.of(DocumentEntryType.STABLE, DocumentEntryType.ON_DEMAND));
        return new QueryRegistry(query, QueryReturnType.LEAF_CLASS);
    }

    /** The same entries once more, by their unique ids. */
    static QueryRegistry get(List<DocumentEntry> entries, String home) {
        var query = new GetDocumentsQuery();
        query.setHomeCommunityId(home);
        query.setUniqueIds(entries.stream().map(DocumentEntry::getUniqueId).toList());
        return new QueryRegistry(query, QueryReturnType.LEAF_CLASS);
    }

    /** The entries, or null if there are none. */
    static List<DocumentEntry> read(Exchange answered, Map<String, Object> said) {
        var response = answered.getMessage().getBody(QueryResponse.class);
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
