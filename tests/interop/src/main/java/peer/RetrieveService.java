package peer;

import javax.activation.DataHandler;
import javax.mail.util.ByteArrayDataSource;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.requests.RetrieveDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

/** ITI-39, responding: documents as MTOM attachments, and an error for each that is lost. */
final class RetrieveService implements Processor {
    private final Holding holding;

    RetrieveService(Holding holding) {
        this.holding = holding;
    }

    @Override
    public void process(Exchange exchange) {
        var answer = answer(exchange.getIn().getBody(RetrieveDocumentSet.class));
        Report.served("ITI-39", answer.getStatus() + " with " + answer.getDocuments().size(),
                Verified.asker());
        exchange.getMessage().setBody(answer);
    }

    private RetrievedDocumentSet answer(RetrieveDocumentSet request) {
        var answer = new RetrievedDocumentSet();
        for (var reference : request.getDocuments()) {
            var held = holding.find(reference);
            if (held != null) {
                answer.getDocuments().add(document(reference, held));
            } else {
                // IPF's own validators take no other location than the home community in XCA.
                answer.getErrors().add(new ErrorInfo(ErrorCode.DOCUMENT_UNIQUE_ID_ERROR,
                        "No such document " + reference.getDocumentUniqueId(), Severity.ERROR,
                        reference.getHomeCommunityId(), null));
            }
        }
        answer.setStatus(answer.getErrors().isEmpty() ? Status.SUCCESS
                : answer.getDocuments().isEmpty() ? Status.FAILURE : Status.PARTIAL_SUCCESS);
        return answer;
    }

    private static RetrievedDocument document(DocumentReference reference, Holding.Held held) {
        var mimeType = held.entry().getMimeType();
        var data = new DataHandler(new ByteArrayDataSource(held.bytes(), mimeType));
        return new RetrievedDocument(data, reference, null, null, mimeType);
    }
}
