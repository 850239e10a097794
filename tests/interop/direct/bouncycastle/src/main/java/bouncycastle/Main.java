package bouncycastle;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.util.HashMap;
import java.util.Map;

import org.bouncycastle.jce.provider.BouncyCastleProvider;

/**
 * Takes one command a line, as name=value separated by tabs, and answers each with one line: "ok"
 * and what was found, or "refused" and the reason.
 */
public final class Main {
    private Main() {
    }

    public static void main(String[] arguments) throws IOException {
        Security.addProvider(new BouncyCastleProvider());
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(answer(read(line)));
            System.out.flush();
        }
    }

    private static String answer(Map<String, String> command) {
        try {
            return "ok\t" + switch (command.get("do")) {
                case "seal" -> seal(command);
                case "open" -> open(command);
                case "time" -> Timing.measure(command);
                default -> throw new IllegalArgumentException(command.get("do"));
            };
        } catch (Exception error) {
            return "refused\t" + error.getClass().getSimpleName() + ": "
                + String.valueOf(error.getMessage()).replaceAll("\\s+", " ");
        }
    }

    private static String seal(Map<String, String> command) throws Exception {
        var message = Sealing.seal(Files.readAllBytes(Path.of(command.get("entity"))), command);
        Files.write(Path.of(command.get("out")), message);
        return Integer.toString(message.length);
    }

    private static String open(Map<String, String> command) throws Exception {
        var opened = Opening.open(
            Files.readAllBytes(Path.of(command.get("message"))), Party.read(command.get("key")));
        Files.write(Path.of(command.get("out")), opened);
        return Integer.toString(opened.length);
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
