package peer;

import org.apache.camel.Exchange;
import org.apache.camel.Processor;

/** ITI-56, responding: the one patient is known to one other community. */
final class LocationService implements Processor {
    private final Settings settings;
    private final Person known;

    LocationService(Settings settings) {
        this.settings = settings;
        this.known = Person.of(settings);
    }

    @Override
    public void process(Exchange exchange) throws Exception {
        var asked = Xml.parse(exchange.getIn().getBody(String.class));
        if (!known.id().equals(Locations.requested(asked, "extension"))
                || !known.root().equals(Locations.requested(asked, "root"))) {
            throw AddressingRules.refusal("Nobody is known by that id");
        }
        Report.served("ITI-56", "located", Verified.asker());
        var elsewhere = settings.fact("elsewhere.home");
        exchange.getMessage().setBody(Locations.response(
                elsewhere, elsewhere.replaceFirst("^urn:oid:", "") + ".7", "elsewhere-17", asked));
    }
}
