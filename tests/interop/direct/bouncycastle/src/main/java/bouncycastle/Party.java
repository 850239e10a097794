package bouncycastle;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;

/** A key and its certificate, from a PKCS #12 file without a password. */
record Party(PrivateKey key, X509Certificate certificate) {
    static Party read(String file) throws GeneralSecurityException, IOException {
        var store = KeyStore.getInstance("PKCS12");
        try (var input = Files.newInputStream(Path.of(file))) {
            store.load(input, "interop".toCharArray());
        }
        var alias = store.aliases().nextElement();
        return new Party(
            (PrivateKey) store.getKey(alias, "interop".toCharArray()),
            (X509Certificate) store.getCertificate(alias));
    }

    static X509Certificate certificate(String file) throws GeneralSecurityException, IOException {
        try (var input = Files.newInputStream(Path.of(file))) {
            var factory = CertificateFactory.getInstance("X.509");
            return (X509Certificate) factory.generateCertificate(input);
        }
    }
}
