package peer;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.camel.Exchange;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

/** ITI-39, initiating: what is asked, and what an answer says. */
final class Retrievals {
    private Retrievals() {}

    /** {@code unknown} is the unique id of one more document, which nobody has, if not empty. */
    static RetrieveDocumentSet request(List<DocumentEntry> entries, String unknown) {
        var request = new RetrieveDocumentSet();
        entries.forEach(request::addReferenceTo);
        if (!unknown.isEmpty()) {
            var first = entries.get(0);
            request.getDocuments().add(new DocumentReference(
                    first.getRepositoryUniqueId(), unknown, first.getHomeCommunityId()));
        }
        return request;
    }

    /** Whether everything came; null if nothing did, or not as it should. */
    static Boolean read(Exchange answered, Map<String, Object> said)
            throws IOException, GeneralSecurityException {
        var response = answered.getMessage().getBody(RetrievedDocumentSet.class);
        said.put("outcome", response.getStatus().name());
        said.put("errors", response.getErrors().stream()
                .map(error -> error.getErrorCode() + " at " + error.getLocation()).toList());
        var told = new ArrayList<Map<String, Object>>();
        for (var document : response.getDocuments()) {
            told.add(told(document));
        }
        said.put("documents", told);
        if (!String.valueOf(said.get("content_type")).startsWith("multipart/related")) {
            said.put("outcome", "not MTOM");
            return null;
        }
        return response.getStatus() == Status.FAILURE ? null
                : Boolean.valueOf(response.getStatus() == Status.SUCCESS);
    }

    private static Map<String, Object> told(RetrievedDocument document)
            throws IOException, GeneralSecurityException {
        byte[] bytes;
        try (var stream = document.getDataHandler().getInputStream()) {
            bytes = stream.readAllBytes();
        }
        return Map.of(
                "unique_id", document.getRequestData().getDocumentUniqueId(),
                "home", document.getRequestData().getHomeCommunityId(),
                "mime_type", document.getMimeType(),
                "size", bytes.length,
                "sha256",
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)));
    }
}
