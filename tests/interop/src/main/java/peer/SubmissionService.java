package peer;

import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.openehealth.ipf.commons.ihe.xds.core.requests.ProvideAndRegisterDocumentSet;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Response;
import org.openehealth.ipf.commons.ihe.xds.core.responses.Status;

/** ITI-41 and ITI-80, responding: every submission is taken, and none is kept. */
record SubmissionService(String step) implements Processor {
    @Override
    public void process(Exchange exchange) {
        var given = exchange.getIn().getBody(ProvideAndRegisterDocumentSet.class);
        Report.served(step, "took " + given.getDocuments().size(), Verified.asker());
        exchange.getMessage().setBody(new Response(Status.SUCCESS));
    }
}
