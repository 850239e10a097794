package peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.SSLContext;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.RoutesBuilder;
import org.apache.camel.TypeConverter;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.impl.converter.DefaultTypeConverter;
import org.apache.camel.support.DefaultExchange;
import org.apache.camel.support.jsse.SSLContextParameters;
import org.openehealth.ipf.commons.audit.AuditContext;
import org.openehealth.ipf.commons.audit.DefaultAuditContext;
import org.openehealth.ipf.commons.audit.queue.AbstractAuditMessageQueue;

/** Camel with IPF's components in it, and the shape in which these take what they need. */
final class Ipf {
    private final CamelContext camel = new WithoutGazelle();
    private final AtomicInteger names = new AtomicInteger();

    Ipf() throws Exception {
        camel.disableJMX();
        camel.start();
    }

    /** Makes {@code value} known to endpoints; returns what their URI calls it. */
    String name(Object value) {
        var name = "bean" + names.incrementAndGet();
        camel.getRegistry().bind(name, value);
        return "#" + name;
    }

    /** The URI of an endpoint; options that are no words are named. */
    String uri(String component, String address, Map<String, ?> options) {
        var query = new StringJoiner("&");
        options.forEach((key, value) ->
                query.add(key + "=" + (value instanceof String word ? word : name(value))));
        return component + ":" + address + "?" + query;
    }

    /** Whoever looks for the endpoint {@code plain} finds the one of {@code uri}. */
    void alias(String plain, String uri) throws Exception {
        camel.addEndpoint(plain, camel.getEndpoint(uri));
    }

    void serve(String uri, Processor requests, Processor work, Processor answers)
            throws Exception {
        add(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler());
                from(uri).process(requests).process(work).process(answers);
            }
        });
    }

    /** What {@code uri} answers to {@code body}; both are held to IPF's validators. */
    Exchange ask(String uri, Object body, Map<String, Object> headers, Processor requests,
            Processor answers) throws Exception {
        var start = "direct:" + names.incrementAndGet();
        add(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler());
                from(start).process(requests).to(uri).process(answers);
            }
        });
        var exchange = new DefaultExchange(camel);
        exchange.getIn().setBody(body);
        exchange.getIn().setHeaders(headers);
        try (var template = camel.createProducerTemplate()) {
            var answered = template.send(start, exchange);
            if (answered.getException() != null) {
                throw answered.getException();
            }
            return answered;
        }
    }

    private void add(RoutesBuilder routes) throws Exception {
        camel.addRoutes(routes);
    }

    // ---- what endpoints take -------------------------------------------------------------------

    static SSLContextParameters tls(Keys keys) {
        return new SSLContextParameters() {
            @Override
            public SSLContext createSSLContext(CamelContext context) {
                try {
                    return keys.tls();
                } catch (java.security.GeneralSecurityException problem) {
                    throw new IllegalStateException(problem);
                }
            }
        };
    }

    /** IPF's own ATNA audit, one message a line of {@code file}; none if that is empty. */
    static AuditContext audit(String file) {
        var context = new DefaultAuditContext();
        context.setAuditEnabled(!file.isEmpty());
        context.setAuditMessageQueue(new AbstractAuditMessageQueue() {
            @Override
            protected synchronized void handle(AuditContext audit, String message) {
                try {
                    Files.write(Path.of(file), List.of(message.replaceAll("\\R", " ")),
                            StandardOpenOption.CREATE, StandardOpenOption.APPEND);
                } catch (java.io.IOException problem) {
                    throw new java.io.UncheckedIOException(problem);
                }
            }
        });
        return context;
    }

    /** IPF has converters for PIXv3 and PDQv3 to classes that are not on Maven Central. */
    private static final class WithoutGazelle extends DefaultCamelContext {
        @Override
        protected TypeConverter createTypeConverter() {
            return new DefaultTypeConverter(this, getPackageScanClassResolver(), getInjector(),
                    false) {
                @Override
                protected Collection<String> findTypeConverterLoaderClasses() throws IOException {
                    return super.findTypeConverterLoaderClasses().stream()
                            .filter(name -> !name.contains(".hl7v3.")).toList();
                }
            };
        }
    }
}
