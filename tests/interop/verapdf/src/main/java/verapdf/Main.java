package verapdf;

import java.io.FileInputStream;
import java.io.InputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Checks each file named as an argument: a line for each broken rule, then the files read. */
public final class Main {
    private static final PDFAFlavour[] FLAVOURS = {PDFAFlavour.PDFA_2_B, PDFAFlavour.PDFUA_1};

    private Main() {}

    public static void main(String[] files) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        for (String file : files) {
            for (PDFAFlavour flavour : FLAVOURS) {
                check(file, flavour);
            }
        }
        System.out.println("read " + files.length);
    }

    private static void check(String file, PDFAFlavour flavour) throws Exception {
        try (InputStream bytes = new FileInputStream(file);
                PDFAParser parser = Foundries.defaultInstance().createParser(bytes, flavour)) {
            ValidationResult result =
                    Foundries.defaultInstance().createValidator(flavour, false).validate(parser);
            if (result.getTotalAssertions() == 0) {
                throw new IllegalStateException("nothing was checked in " + file);
            }
            for (TestAssertion assertion : result.getTestAssertions()) {
                if (assertion.getStatus() != TestAssertion.Status.PASSED) {
                    System.out.println(
                            "broken " + file + " " + flavour + " " + assertion.getRuleId()
                                    .getClause() + ": " + assertion.getMessage());
                }
            }
        }
    }
}
