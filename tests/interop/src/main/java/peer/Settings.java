package peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** What the command line said: words by position, options by name, and the facts file. */
record Settings(List<String> words, Map<String, String> options, Properties facts) {
    static final String USAGE = """
            usage: server PORT  --facts FILE --tls-store P12 --trust-store P12 --document FILE[,FILE]
                          [--lost NUMBER] [--fault-at STEP] [--audit FILE] [--validators off]
                          [--break-answer without-confirmation|without-security]
                          [--brings-to URL] [--signing-store P12]
                   client, and then on each line as a JSON array:
                          URL_XCPD URL_QUERY URL_RETRIEVE --facts FILE --tls-store P12
                          --trust-store P12 [--signing-store P12] [--other-store P12]
                          [--tamper NAME of Assertion or Forgery] [--tamper-at STEP]
                          [--native-signature URI] [--signature URI] [--digest URI]
                          [--key-info FORM of KeyNames] [--assertion-key-info FORM] [--and-for UNIQUE_ID]
                          [--reply-port PORT] [--deferred-port PORT] [--audit FILE]
                          [--locate yes, for ITI-56 instead of documents]
                          [--submit ITI-41|ITI-80, to URL_XCPD, --document FILE]
                   validate FOLDER
            A step is ITI-55, ITI-38 or ITI-39.
            The stores' password is in INTEROP_STORE_PASSWORD.""";

    static Settings read(String[] arguments) throws IOException {
        var words = new ArrayList<String>();
        var options = new HashMap<String, String>();
        for (int i = 0; i < arguments.length; i++) {
            if (arguments[i].startsWith("--")) {
                if (i + 1 == arguments.length) {
                    throw new IllegalArgumentException("No value for " + arguments[i]);
                }
                options.put(arguments[i].substring(2), arguments[++i]);
            } else {
                words.add(arguments[i]);
            }
        }
        var facts = new Properties();
        try (var reader = Files.newBufferedReader(Path.of(required(options, "facts")))) {
            facts.load(reader);
        }
        return new Settings(List.copyOf(words), Map.copyOf(options), facts);
    }

    Keys keys(String storeOption) throws Exception {
        return Keys.load(option(storeOption), option("trust-store"), password());
    }

    String option(String name) {
        return required(options, name);
    }

    String option(String name, String otherwise) {
        return options.getOrDefault(name, otherwise);
    }

    /** A line of the facts file. */
    String fact(String name) {
        var value = facts.getProperty(name);
        if (value == null) {
            throw new IllegalArgumentException("The facts file says nothing of " + name);
        }
        return value;
    }

    private static char[] password() {
        var password = System.getenv("INTEROP_STORE_PASSWORD");
        if (password == null) {
            throw new IllegalArgumentException("INTEROP_STORE_PASSWORD is not set");
        }
        return password.toCharArray();
    }

    private static String required(Map<String, String> options, String name) {
        var value = options.get(name);
        if (value == null) {
            throw new IllegalArgumentException("No --" + name);
        }
        return value;
    }
}
