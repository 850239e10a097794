package peer;

import javax.activation.DataHandler;
import javax.mail.util.ByteArrayDataSource;
import org.openehealth.ipf.commons.ihe.xds.XCA;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLFactory30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLNonconstructiveDocumentSetRequest30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.RetrieveDocumentSetRequestType;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.RetrieveDocumentSetResponseType;
import org.openehealth.ipf.commons.ihe.xds.core.requests.DocumentReference;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocument;
import org.openehealth.ipf.commons.ihe.xds.core.responses.RetrievedDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.RetrieveDocumentSetResponseTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.validate.XDSMetaDataException;
import org.openehealth.ipf.commons.ihe.xds.core.validate.requests.NonconstructiveDocumentSetRequestValidator;
import org.openehealth.ipf.commons.ihe.xds.iti39.Iti39PortType;

/** ITI-39, responding: the one document as an MTOM attachment. */
public final class RetrieveService implements Iti39PortType {
    private static final EbXMLFactory30 EBXML = new EbXMLFactory30();

    private final Settings settings;
    private final Holding holding;

    RetrieveService(Settings settings, Holding holding) {
        this.settings = settings;
        this.holding = holding;
    }

    @Override
    public RetrieveDocumentSetResponseType documentRepositoryRetrieveDocumentSet(
            RetrieveDocumentSetRequestType body) {
        var answer = answer(new EbXMLNonconstructiveDocumentSetRequest30<>(body));
        Report.served("ITI-39", answer.getStatus() + " with " + answer.getDocuments().size(),
                Verified.asker());
        return new RetrieveDocumentSetResponseTransformer(EBXML).toEbXML(answer).getInternal();
    }

    private RetrievedDocumentSet answer(
            EbXMLNonconstructiveDocumentSetRequest30<RetrieveDocumentSetRequestType> request) {
        try {
            NonconstructiveDocumentSetRequestValidator.getInstance()
                    .validate(request, XCA.Interactions.ITI_39);
        } catch (XDSMetaDataException problem) {
            return new RetrievedDocumentSet(problem, ErrorCode.REPOSITORY_METADATA_ERROR,
                    ErrorCode.REPOSITORY_ERROR, settings.fact("own.home"));
        }
        var answer = new RetrievedDocumentSet();
        for (var reference : request.getDocuments()) {
            if (isHeld(reference)) {
                answer.getDocuments().add(document(reference));
            } else {
                answer.getErrors().add(new ErrorInfo(ErrorCode.DOCUMENT_UNIQUE_ID_ERROR,
                        "No such document", Severity.ERROR, reference.getDocumentUniqueId(), null));
            }
        }
        answer.setStatus(answer.getErrors().isEmpty() ? Status.SUCCESS
                : answer.getDocuments().isEmpty() ? Status.FAILURE : Status.PARTIAL_SUCCESS);
        return answer;
    }

    private boolean isHeld(DocumentReference reference) {
        var entry = holding.entry();
        return entry.getUniqueId().equals(reference.getDocumentUniqueId())
                && entry.getRepositoryUniqueId().equals(reference.getRepositoryUniqueId())
                && entry.getHomeCommunityId().equals(reference.getHomeCommunityId());
    }

    private RetrievedDocument document(DocumentReference reference) {
        var mimeType = holding.entry().getMimeType();
        var data = new DataHandler(new ByteArrayDataSource(holding.bytes(), mimeType));
        return new RetrievedDocument(data, reference, null, null, mimeType);
    }
}
