package bouncycastle;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.security.interfaces.ECPrivateKey;
import java.util.Properties;

import javax.mail.Session;
import javax.mail.internet.MimeMessage;
import javax.mail.internet.MimeMultipart;

import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.CMSException;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.RecipientInformationStore;
import org.bouncycastle.cms.Recipient;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.cms.jcajce.JceKeyAgreeAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipientId;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientId;
import org.bouncycastle.mail.smime.SMIMEAuthEnveloped;
import org.bouncycastle.mail.smime.SMIMEEnveloped;
import org.bouncycastle.mail.smime.SMIMESigned;
import org.bouncycastle.mail.smime.SMIMEUtil;
import org.bouncycastle.util.Selector;
import org.bouncycastle.util.Store;

/** A message decrypted and its signatures verified. */
final class Opening {
    private static final Session SESSION = Session.getInstance(new Properties());

    private Opening() {
    }

    /** The signed entity as it stands in the message. */
    static byte[] open(byte[] message, Party us) throws Exception {
        var mail = new MimeMessage(SESSION, new ByteArrayInputStream(message));
        var isAuthenticated = mail.getContentType().contains("authEnveloped-data");
        RecipientInformationStore recipients = isAuthenticated
            ? new SMIMEAuthEnveloped(mail).getRecipientInfos()
            : new SMIMEEnveloped(mail).getRecipientInfos();
        var content = find(recipients, us).getContent(recipient(us, isAuthenticated));
        var part = SMIMEUtil.toMimeBodyPart(content);
        var signed = part.isMimeType("multipart/signed")
            ? new SMIMESigned((MimeMultipart) part.getContent()) : new SMIMESigned(part);
        verify(signed);
        var out = new ByteArrayOutputStream();
        signed.getContent().writeTo(out);
        return out.toByteArray();
    }

    private static RecipientInformation find(RecipientInformationStore recipients, Party us)
            throws CMSException {
        var isElliptic = us.key() instanceof ECPrivateKey;
        var found = recipients.get(isElliptic
            ? new JceKeyAgreeRecipientId(us.certificate())
            : new JceKeyTransRecipientId(us.certificate()));
        if (found == null) {
            throw new CMSException("not for us");
        }
        return found;
    }

    private static Recipient recipient(Party us, boolean isAuthenticated) {
        if (us.key() instanceof ECPrivateKey) {
            return isAuthenticated
                ? new JceKeyAgreeAuthEnvelopedRecipient(us.key()).setProvider("BC")
                : new JceKeyAgreeEnvelopedRecipient(us.key()).setProvider("BC");
        }
        return isAuthenticated
            ? new JceKeyTransAuthEnvelopedRecipient(us.key()).setProvider("BC")
            : new JceKeyTransEnvelopedRecipient(us.key()).setProvider("BC");
    }

    // BouncyCastle's own signatures leave the kind of a store open.
    @SuppressWarnings({"unchecked", "rawtypes"})
    private static void verify(SMIMESigned signed) throws Exception {
        Store<X509CertificateHolder> certificates = signed.getCertificates();
        var count = 0;
        for (var signer : signed.getSignerInfos().getSigners()) {
            Selector<X509CertificateHolder> named = signer.getSID();
            var holder = certificates.getMatches(named).iterator().next();
            var verifier = new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(holder);
            if (!signer.verify(verifier)) {
                throw new CMSException("a signature does not match");
            }
            count += 1;
        }
        if (count == 0) {
            throw new CMSException("nobody has signed");
        }
    }
}
