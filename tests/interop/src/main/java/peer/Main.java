package peer;

import java.util.Arrays;

/**
 * The peer: {@code server PORT ...} answers as a responding gateway, {@code client URLS ...} asks as
 * an initiating one.
 *
 * <p>Exit codes: 0 all done, 1 failed, 2 usage, 3 done in part (the patient is not known there).
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 2) {
            System.err.println(Settings.USAGE);
            System.exit(2);
        }
        var rest = Arrays.copyOfRange(arguments, 1, arguments.length);
        switch (arguments[0]) {
            case "server" -> Responder.serve(Settings.read(rest));
            case "client" -> System.exit(Initiator.run(Settings.read(rest)));
            default -> {
                System.err.println(Settings.USAGE);
                System.exit(2);
            }
        }
    }
}
