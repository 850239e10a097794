package peer;

import java.math.BigInteger;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import javax.activation.DataHandler;
import javax.mail.util.ByteArrayDataSource;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Association;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationLabel;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssociationType;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AvailabilityStatus;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Document;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.SubmissionSet;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

/** ITI-41 and ITI-80: one document with its metadata, submitted and taken. */
final class Submissions {
    private Submissions() {}

    /** {@code community} is the one that ITI-80 names, null for ITI-41. */
    static ProvideAndRegisterDocumentSet request(Settings settings, String community)
            throws Exception {
        var held = Holding.of(settings).held().get(0);
        var entry = held.entry();
        entry.setEntryUuid("urn:uuid:" + UUID.randomUUID());
        entry.setUniqueId(oid());
        entry.setHomeCommunityId(null);
        var set = new SubmissionSet();
        set.setEntryUuid("urn:uuid:" + UUID.randomUUID());
        set.setUniqueId(oid());
        set.setSourceId(settings.fact("own.home").replaceFirst("^urn:oid:", ""));
        set.setSubmissionTime("20260301120000");
        set.setAvailabilityStatus(AvailabilityStatus.APPROVED);
        set.setPatientId(entry.getPatientId());
        set.getAuthors().addAll(entry.getAuthors());
        set.setContentTypeCode(entry.getTypeCode());
        set.setHomeCommunityId(community);
        var member = new Association(AssociationType.HAS_MEMBER,
                "urn:uuid:" + UUID.randomUUID(), set.getEntryUuid(), entry.getEntryUuid());
        member.setLabel(AssociationLabel.ORIGINAL);
        var request = new ProvideAndRegisterDocumentSet();
        request.setSubmissionSet(set);
        request.getAssociations().add(member);
        request.getDocuments().add(new Document(
                entry, new DataHandler(new ByteArrayDataSource(held.bytes(), entry.getMimeType()))));
        request.setTargetHomeCommunityId(community);
        return request;
    }

    /** Whether it was taken; null if not. */
    static Boolean read(Exchange answered, Map<String, Object> said) {
        var response = answered.getMessage().getBody(Response.class);
        said.put("outcome", response.getStatus().name());
        said.put("errors", response.getErrors().stream()
                .map(error -> String.valueOf(error.getErrorCode())).toList());
        return response.getStatus() == Status.SUCCESS ? Boolean.TRUE : null;
    }

    /** Takes whatever comes, and reports the digests of its documents. */
    static Processor taking(String step) {
        return exchange -> {
            var given = exchange.getIn().getBody(ProvideAndRegisterDocumentSet.class);
            Report.served(step, "took " + String.join(" ", digests(given)), Verified.asker());
            exchange.getMessage().setBody(new Response(Status.SUCCESS));
        };
    }

    private static List<String> digests(ProvideAndRegisterDocumentSet given) throws Exception {
        var digests = new ArrayList<String>();
        for (var document : given.getDocuments()) {
            try (var stream = document.getDataHandler().getInputStream()) {
                digests.add(HexFormat.of().formatHex(
                        MessageDigest.getInstance("SHA-256").digest(stream.readAllBytes())));
            }
        }
        return digests;
    }

    private static String oid() {
        return "2.25." + new BigInteger(
                UUID.randomUUID().toString().replace("-", ""), 16);
    }
}
