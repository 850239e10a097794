package peer;

import org.openehealth.ipf.commons.ihe.xds.XCA;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLAdhocQueryRequest30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLFactory30;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.Query;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;
import org.openehealth.ipf.commons.ihe.xds.core.stub.ebrs30.query.AdhocQueryRequest;
import org.openehealth.ipf.commons.ihe.xds.core.stub.ebrs30.query.AdhocQueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.transform.requests.QueryRegistryTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.transform.responses.QueryResponseTransformer;
import org.openehealth.ipf.commons.ihe.xds.core.validate.XDSMetaDataException;
import org.openehealth.ipf.commons.ihe.xds.core.validate.requests.AdhocQueryRequestValidator;
import org.openehealth.ipf.commons.ihe.xds.iti38.Iti38PortType;

/** ITI-38, responding: FindDocuments and GetDocuments over the one holding. */
public final class QueryService implements Iti38PortType {
    private static final EbXMLFactory30 EBXML = new EbXMLFactory30();

    private final Settings settings;
    private final Holding holding;

    QueryService(Settings settings, Holding holding) {
        this.settings = settings;
        this.holding = holding;
    }

    @Override
    public AdhocQueryResponse documentRegistryRegistryStoredQuery(AdhocQueryRequest body) {
        var answer = answer(body);
        Report.served("ITI-38", answer.getStatus() + " with " + answer.getDocumentEntries().size(),
                Verified.asker());
        return new QueryResponseTransformer(EBXML).toEbXML(answer).getInternal();
    }

    private QueryResponse answer(AdhocQueryRequest body) {
        var request = new EbXMLAdhocQueryRequest30(body);
        try {
            AdhocQueryRequestValidator.getInstance().validate(request, XCA.Interactions.ITI_38);
        } catch (XDSMetaDataException problem) {
            return new QueryResponse(problem, ErrorCode.REGISTRY_METADATA_ERROR,
                    ErrorCode.REGISTRY_ERROR, settings.fact("own.home"));
        }
        return answer(new QueryRegistryTransformer(EBXML).fromEbXML(request).getQuery());
    }

    private QueryResponse answer(Query query) {
        if (query instanceof FindDocumentsQuery find) {
            return holdings(holding.isOf(find.getPatientId()));
        }
        if (query instanceof GetDocumentsQuery get) {
            return holdings(holding.isNamed(get.getUuids(), get.getUniqueIds()));
        }
        var failure = new QueryResponse(Status.FAILURE);
        failure.getErrors().add(new ErrorInfo(ErrorCode.UNKNOWN_STORED_QUERY,
                "Only FindDocuments and GetDocuments", Severity.ERROR, settings.fact("own.home"), null));
        return failure;
    }

    private QueryResponse holdings(boolean any) {
        var answer = new QueryResponse(Status.SUCCESS);
        if (any) {
            answer.getDocumentEntries().add(holding.entry());
        }
        return answer;
    }
}
