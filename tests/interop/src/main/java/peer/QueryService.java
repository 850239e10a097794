package peer;

import java.util.List;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.QueryRegistry;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.FindDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.GetDocumentsQuery;
import org.openehealth.ipf.commons.ihe.xds.core.requests.query.Query;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorCode;
import org.openehealth.ipf.commons.ihe.xds.core.responses.ErrorInfo;
import org.openehealth.ipf.commons.ihe.xds.core.responses.QueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Severity;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

/** ITI-38, responding: FindDocuments and GetDocuments over the one holding. */
final class QueryService implements Processor {
    private final Settings settings;
    private final Holding holding;

    QueryService(Settings settings, Holding holding) {
        this.settings = settings;
        this.holding = holding;
    }

    @Override
    public void process(Exchange exchange) {
        var answer = answer(exchange.getIn().getBody(QueryRegistry.class).getQuery());
        Report.served("ITI-38", answer.getStatus() + " with " + answer.getDocumentEntries().size(),
                Verified.asker());
        exchange.getMessage().setBody(answer);
    }

    private QueryResponse answer(Query query) {
        if (query instanceof FindDocumentsQuery find) {
            return holdings(holding.of(find.getPatientId()));
        }
        if (query instanceof GetDocumentsQuery get) {
            return holdings(holding.named(get.getUuids(), get.getUniqueIds()));
        }
        var failure = new QueryResponse(Status.FAILURE);
        failure.getErrors().add(new ErrorInfo(ErrorCode.UNKNOWN_STORED_QUERY,
                "Only FindDocuments and GetDocuments", Severity.ERROR, settings.fact("own.home"), null));
        return failure;
    }

    private static QueryResponse holdings(List<DocumentEntry> entries) {
        var answer = new QueryResponse(Status.SUCCESS);
        answer.getDocumentEntries().addAll(entries);
        return answer;
    }
}
