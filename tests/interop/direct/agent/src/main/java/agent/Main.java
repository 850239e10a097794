package agent;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.nhindirect.stagent.DefaultNHINDAgent;
import org.nhindirect.stagent.NHINDAddress;
import org.nhindirect.stagent.NHINDAddressCollection;
import org.nhindirect.stagent.cert.X509CertificateEx;
import org.nhindirect.stagent.cryptography.DigestAlgorithm;
import org.nhindirect.stagent.cryptography.EncryptionAlgorithm;
import org.nhindirect.stagent.cryptography.SMIMECryptographerImpl;
import org.nhindirect.stagent.trust.DefaultTrustAnchorResolver;
import org.nhindirect.stagent.trust.TrustModel;

/**
 * The reference agent with one key and one anchor a command. A command is a line of name=value
 * separated by tabs; each is answered with one line: "ok", or "refused" and the agent's reason.
 */
public final class Main {
    private static final char[] PASSWORD = "interop".toCharArray();

    private Main() {
    }

    public static void main(String[] arguments) throws IOException {
        Security.addProvider(new BouncyCastleProvider());
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println("answer\t" + answer(read(line)));
            System.out.flush();
        }
    }

    private static String answer(Map<String, String> command) {
        try {
            return "ok\t" + ("send".equals(command.get("do")) ? send(command)
                : "receive".equals(command.get("do")) ? receive(command)
                : Long.toString(time(command)));
        } catch (Exception error) {
            return "refused\t" + reasons(error).replaceAll("\\s+", " ");
        }
    }

    private static String reasons(Throwable error) {
        var said = error.toString();
        return error.getCause() == null ? said : said + "; " + reasons(error.getCause());
    }

    private static int send(Map<String, String> command) throws Exception {
        var message = Files.readString(Path.of(command.get("message")), StandardCharsets.ISO_8859_1);
        var sent = agent(command).processOutgoing(message).serializeMessage();
        Files.writeString(Path.of(command.get("out")), sent, StandardCharsets.ISO_8859_1);
        return sent.length();
    }

    private static int receive(Map<String, String> command) throws Exception {
        var message = Files.readString(Path.of(command.get("message")), StandardCharsets.ISO_8859_1);
        var recipients = new NHINDAddressCollection();
        recipients.add(new NHINDAddress(command.get("recipient")));
        var received = agent(command)
            .processIncoming(message, recipients, new NHINDAddress(command.get("sender")))
            .serializeMessage();
        Files.writeString(Path.of(command.get("out")), received, StandardCharsets.ISO_8859_1);
        return received.length();
    }

    /** Nanoseconds of CPU that one message costs the process after warm-up. */
    private static long time(Map<String, String> command) throws Exception {
        var system = (com.sun.management.OperatingSystemMXBean)
            java.lang.management.ManagementFactory.getOperatingSystemMXBean();
        for (var round = 0; round < Integer.parseInt(command.get("warm")); round += 1) {
            receive(command);
        }
        var rounds = Integer.parseInt(command.get("rounds"));
        var started = system.getProcessCpuTime();
        for (var round = 0; round < rounds; round += 1) {
            receive(command);
        }
        return (system.getProcessCpuTime() - started) / rounds;
    }

    private static DefaultNHINDAgent agent(Map<String, String> command) throws Exception {
        var ours = party(command.get("key"));
        var theirs = certificate(command.get("certificate"));
        var cryptographer = new SMIMECryptographerImpl(
            EncryptionAlgorithm.valueOf(command.getOrDefault("cipher", "AES256_CBC")),
            DigestAlgorithm.valueOf(command.getOrDefault("digest", "SHA256")));
        return new DefaultNHINDAgent(
            command.get("domain"),
            address -> List.<X509Certificate>of(ours),
            address -> List.of(theirs),
            new DefaultTrustAnchorResolver(List.of(certificate(command.get("anchor")))),
            TrustModel.Default,
            cryptographer);
    }

    private static X509CertificateEx party(String file) throws Exception {
        var store = KeyStore.getInstance("PKCS12");
        try (InputStream input = Files.newInputStream(Path.of(file))) {
            store.load(input, PASSWORD);
        }
        var alias = store.aliases().nextElement();
        return X509CertificateEx.fromX509Certificate(
            (X509Certificate) store.getCertificate(alias),
            (PrivateKey) store.getKey(alias, PASSWORD));
    }

    private static X509Certificate certificate(String file) throws Exception {
        try (InputStream input = Files.newInputStream(Path.of(file))) {
            var factory = CertificateFactory.getInstance("X.509");
            return (X509Certificate) factory.generateCertificate(input);
        }
    }

    private static Map<String, String> read(String line) {
        var found = new HashMap<String, String>();
        for (var field : line.split("\t")) {
            var at = field.indexOf('=');
            found.put(field.substring(0, at), field.substring(at + 1));
        }
        return found;
    }
}
