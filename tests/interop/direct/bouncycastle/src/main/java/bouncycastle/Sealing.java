package bouncycastle;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.spec.MGF1ParameterSpec;
import java.util.List;
import java.util.Map;

import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.mail.internet.MimeBodyPart;

import java.security.KeyPair;
import java.security.KeyPairGenerator;

import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.nist.NISTObjectIdentifiers;
import org.bouncycastle.asn1.sec.SECObjectIdentifiers;
import org.bouncycastle.asn1.x9.X9ObjectIdentifiers;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.RecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoGeneratorBuilder;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.mail.smime.SMIMEAuthEnvelopedGenerator;
import org.bouncycastle.mail.smime.SMIMEEnvelopedGenerator;
import org.bouncycastle.mail.smime.SMIMESignedGenerator;
import org.bouncycastle.operator.OutputAEADEncryptor;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;

/** A message sealed as a command describes it. */
final class Sealing {
    private static final Map<String, ASN1ObjectIdentifier> CIPHERS = Map.of(
        "aes128-cbc", CMSAlgorithm.AES128_CBC,
        "aes192-cbc", CMSAlgorithm.AES192_CBC,
        "aes256-cbc", CMSAlgorithm.AES256_CBC,
        "aes128-gcm", CMSAlgorithm.AES128_GCM,
        "aes192-gcm", CMSAlgorithm.AES192_GCM,
        "aes256-gcm", CMSAlgorithm.AES256_GCM,
        "3des-cbc", CMSAlgorithm.DES_EDE3_CBC);
    private static final Map<String, ASN1ObjectIdentifier> AGREEMENTS = Map.of(
        "sha1", X9ObjectIdentifiers.dhSinglePass_stdDH_sha1kdf_scheme,
        "sha256", SECObjectIdentifiers.dhSinglePass_stdDH_sha256kdf_scheme,
        "sha384", SECObjectIdentifiers.dhSinglePass_stdDH_sha384kdf_scheme);

    private Sealing() {
    }

    static byte[] seal(byte[] entity, Map<String, String> how) throws Exception {
        var part = new MimeBodyPart(new ByteArrayInputStream(entity));
        var signed = sign(part, how);
        var sealed = encrypt(signed, how);
        var out = new ByteArrayOutputStream();
        out.write(("From: drsmith@clinic.test\r\nTo: intake@plan.test\r\nSubject: Summary\r\n"
            + "MIME-Version: 1.0\r\n").getBytes(StandardCharsets.US_ASCII));
        sealed.writeTo(out);
        return out.toByteArray();
    }

    private static MimeBodyPart sign(MimeBodyPart part, Map<String, String> how) throws Exception {
        var signer = Party.read(how.get("signer"));
        var generator = new SMIMESignedGenerator();
        generator.addSignerInfoGenerator(new JcaSimpleSignerInfoGeneratorBuilder()
            .setProvider("BC").build(how.get("signature"), signer.key(), signer.certificate()));
        generator.addCertificates(new JcaCertStore(List.of(signer.certificate())));
        if ("opaque".equals(how.get("form"))) {
            return generator.generateEncapsulated(part);
        }
        var body = new MimeBodyPart();
        body.setContent(generator.generate(part));
        return body;
    }

    private static MimeBodyPart encrypt(MimeBodyPart signed, Map<String, String> how)
            throws Exception {
        var cipher = CIPHERS.get(how.get("cipher"));
        var encryptor = new JceCMSContentEncryptorBuilder(cipher).setProvider("BC").build();
        if (encryptor instanceof OutputAEADEncryptor authenticating) {
            var generator = new SMIMEAuthEnvelopedGenerator();
            for (var file : how.get("to").split(",")) {
                generator.addRecipientInfoGenerator(reach(Party.certificate(file), how));
            }
            return generator.generate(signed, authenticating);
        }
        var generator = new SMIMEEnvelopedGenerator();
        for (var file : how.get("to").split(",")) {
            generator.addRecipientInfoGenerator(reach(Party.certificate(file), how));
        }
        return generator.generate(signed, encryptor);
    }

    private static RecipientInfoGenerator reach(X509Certificate to, Map<String, String> how)
            throws Exception {
        if (to.getPublicKey() instanceof ECPublicKey key) {
            var maker = KeyPairGenerator.getInstance("EC", "BC");
            maker.initialize(key.getParams());
            KeyPair ephemeral = maker.generateKeyPair();
            return new JceKeyAgreeRecipientInfoGenerator(
                AGREEMENTS.get(how.get("transport")), ephemeral.getPrivate(),
                ephemeral.getPublic(), wrapFor(how.get("cipher")))
                .addRecipient(to).setProvider("BC");
        }
        if ("pkcs1v15".equals(how.get("transport"))) {
            return new JceKeyTransRecipientInfoGenerator(to).setProvider("BC");
        }
        var digest = how.get("transport").replace("sha", "SHA-");
        var oaep = new OAEPParameterSpec(
            digest, "MGF1", new MGF1ParameterSpec(digest), PSource.PSpecified.DEFAULT);
        var identifier = new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
            org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers.id_RSAES_OAEP, oaep);
        return new JceKeyTransRecipientInfoGenerator(to, identifier).setProvider("BC");
    }

    private static ASN1ObjectIdentifier wrapFor(String cipher) {
        return switch (cipher.substring(0, 6)) {
            case "aes128" -> NISTObjectIdentifiers.id_aes128_wrap;
            case "aes192" -> NISTObjectIdentifiers.id_aes192_wrap;
            default -> NISTObjectIdentifiers.id_aes256_wrap;
        };
    }
}
