package peer;

import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSClientParameters;
import org.apache.cxf.transport.http.HTTPConduitConfigurer;
import org.apache.cxf.transport.servlet.CXFNonSpringServlet;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/** Mutual TLS on loopback for IPF's consumers, and for answers that go to a reply address. */
final class Https {
    private Https() {}

    static void listen(int port, Keys keys) throws Exception {
        var tls = new SslContextFactory.Server();
        tls.setKeyStore(keys.own());
        tls.setKeyStorePassword(new String(keys.password()));
        tls.setTrustStore(keys.trusted());
        tls.setNeedClientAuth(true);
        tls.setIncludeProtocols("TLSv1.2", "TLSv1.3");
        var http = new HttpConfiguration();
        var customizer = new SecureRequestCustomizer();
        // Partners are called by address here, and its name is checked by who calls.
        customizer.setSniHostCheck(false);
        http.addCustomizer(customizer);
        var server = new Server();
        var connector = new ServerConnector(server,
                new SslConnectionFactory(tls, "http/1.1"), new HttpConnectionFactory(http));
        connector.setHost("127.0.0.1");
        connector.setPort(port);
        server.addConnector(connector);
        var servlet = new CXFNonSpringServlet();
        servlet.setBus(BusFactory.getDefaultBus());
        var context = new ServletContextHandler();
        context.addServlet(new ServletHolder(servlet), "/*");
        server.setHandler(context);
        server.start();
        replyAs(keys);
    }

    /** CXF opens a connection of its own when an answer goes elsewhere than back. */
    private static void replyAs(Keys keys) throws Exception {
        var parameters = new TLSClientParameters();
        parameters.setSSLSocketFactory(keys.tls().getSocketFactory());
        BusFactory.getDefaultBus().setExtension(
                (name, address, conduit) -> conduit.setTlsClientParameters(parameters),
                HTTPConduitConfigurer.class);
    }
}
