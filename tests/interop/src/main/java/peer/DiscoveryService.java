package peer;

import org.apache.camel.Exchange;
import org.apache.camel.Processor;

/** ITI-55, responding: one patient is known, nobody else. */
final class DiscoveryService implements Processor {
    private final Settings settings;
    private final Person known;

    DiscoveryService(Settings settings) {
        this.settings = settings;
        this.known = Person.of(settings);
    }

    @Override
    public void process(Exchange exchange) throws Exception {
        var asked = Xml.parse(exchange.getIn().getBody(String.class));
        var matches = Discovery.asksFor(asked, known);
        Report.served("ITI-55", matches ? "match" : "no match", Verified.asker());
        exchange.getMessage().setBody(
                Discovery.response(asked, known, matches, settings.fact("own.home")));
    }
}
