package peer;

import java.util.Map;
import org.apache.cxf.Bus;
import org.apache.cxf.endpoint.Server;
import org.apache.cxf.feature.AbstractFeature;

/** Properties of a consumer; IPF's own option for them fails where MTOM is on. */
final class Given extends AbstractFeature {
    private final Map<String, Object> properties;

    Given(Map<String, Object> properties) {
        this.properties = properties;
    }

    @Override
    public void initialize(Server server, Bus bus) {
        server.getEndpoint().putAll(properties);
    }
}
