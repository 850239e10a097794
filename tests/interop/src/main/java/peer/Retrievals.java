package peer;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.openehealth.ipf.commons.ihe.xds.XCA;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLFactory30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLRetrieveDocumentSetResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;
import org.openehealth.ipf.commons.ihe.xds.core.transform.requests.RetrieveDocumentSetRequestTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.RetrieveDocumentSetResponseTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.validate.responses.RetrieveDocumentSetResponseValidator;
import org.openehealth.ipf.commons.ihe.xds.iti39.Iti39PortType;

/** ITI-39, initiating. */
record Retrievals(Iti39PortType port) {
    private static final EbXMLFactory30 EBXML = new EbXMLFactory30();

    List<RetrievedDocument> fetch(List<DocumentEntry> entries, Map<String, Object> said)
            throws IOException, GeneralSecurityException {
        var request = new RetrieveDocumentSet();
        entries.forEach(request::addReferenceTo);
        var body = new RetrieveDocumentSetRequestTransformer(EBXML).toEbXML(request).getInternal();
        var answer = new EbXMLRetrieveDocumentSetResponse30(
                port.documentRepositoryRetrieveDocumentSet(body));
        Step.noteSecurity(port, said);
        RetrieveDocumentSetResponseValidator.getInstance().validate(answer, XCA.Interactions.ITI_39);
        var response = new RetrieveDocumentSetResponseTransformer(EBXML).fromEbXML(answer);
        said.put("outcome", response.getStatus().name());
        said.put("errors", response.getErrors().stream()
                .map(error -> String.valueOf(error.getErrorCode())).toList());
        var told = new ArrayList<Map<String, Object>>();
        for (var document : response.getDocuments()) {
            told.add(told(document));
        }
        said.put("documents", told);
        return isWhole(response.getStatus(), entries.size(), told.size(), said)
                ? response.getDocuments() : null;
    }

    private static boolean isWhole(
            Status status, int asked, int came, Map<String, Object> said) {
        if (status != Status.SUCCESS || came != asked) {
            said.put("outcome", status + " with " + came + " of " + asked);
            return false;
        }
        if (!String.valueOf(said.get("content_type")).startsWith("multipart/related")) {
            said.put("outcome", "not MTOM");
            return false;
        }
        return true;
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
