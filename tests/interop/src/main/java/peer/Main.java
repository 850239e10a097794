package peer;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/**
 * The peer: {@code server PORT ...} answers as a responding gateway until standard input ends.
 * {@code client} asks as an initiating one, once for each line of standard input, which holds the
 * arguments as a JSON array. {@code validate FOLDER} has IPF look at every message in a folder.
 *
 * <p>Each line of {@code client} ends with a code: 0 all done, 1 failed, 3 done in part (the patient
 * is not known there, or documents are missing).
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        var rest = Arrays.copyOfRange(arguments, Math.min(1, arguments.length), arguments.length);
        switch (arguments.length == 0 ? "" : arguments[0]) {
            case "server" -> Responder.serve(Settings.read(rest));
            case "client" -> ask();
            case "validate" -> Validation.run(rest[0]);
            default -> {
                System.err.println(Settings.USAGE);
                System.exit(2);
            }
        }
        System.exit(0);
    }

    private static void ask() throws Exception {
        var ipf = new Ipf();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            var settings = Settings.read(new ObjectMapper().readValue(line, String[].class));
            Report.line(Map.of("done", new Initiator(ipf, settings).run()));
        }
    }
}
