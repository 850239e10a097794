package peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import org.apache.wss4j.common.crypto.Merlin;

/** One party's key and whom it trusts, in the shapes that TLS and WSS4J take. */
record Keys(KeyStore own, KeyStore trusted, char[] password) {

    private static final Map<List<String>, Keys> LOADED = new HashMap<>();

    /** Opened once: to derive a store's key from its password takes longer than a round. */
    static synchronized Keys load(String own, String trusted, char[] password)
            throws GeneralSecurityException, IOException {
        var paths = List.of(own, trusted);
        if (!LOADED.containsKey(paths)) {
            LOADED.put(paths, new Keys(open(own, password), open(trusted, password), password));
        }
        return LOADED.get(paths);
    }

    private static KeyStore open(String path, char[] password)
            throws GeneralSecurityException, IOException {
        var store = KeyStore.getInstance("PKCS12");
        try (var stream = Files.newInputStream(Path.of(path))) {
            store.load(stream, password);
        }
        return store;
    }

    String alias() throws GeneralSecurityException {
        for (var alias : Collections.list(own.aliases())) {
            if (own.isKeyEntry(alias)) {
                return alias;
            }
        }
        throw new GeneralSecurityException("The store holds no private key");
    }

    X509Certificate certificate() throws GeneralSecurityException {
        return (X509Certificate) own.getCertificate(alias());
    }

    PrivateKey privateKey() throws GeneralSecurityException {
        return (PrivateKey) own.getKey(alias(), password);
    }

    Merlin crypto() {
        var crypto = new Merlin();
        crypto.setKeyStore(own);
        crypto.setTrustStore(trusted);
        return crypto;
    }

    KeyManager[] keyManagers() throws GeneralSecurityException {
        var factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(own, password);
        return factory.getKeyManagers();
    }

    TrustManager[] trustManagers() throws GeneralSecurityException {
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(trusted);
        return factory.getTrustManagers();
    }

    SSLContext tls() throws GeneralSecurityException {
        var context = SSLContext.getInstance("TLS");
        context.init(keyManagers(), trustManagers(), null);
        return context;
    }
}
