package bouncycastle;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** What a message costs when the compiler has done its work: CPU seconds of the whole process. */
final class Timing {
    private Timing() {
    }

    static String measure(Map<String, String> command) throws Exception {
        var what = command.get("what");
        var data = Files.readAllBytes(Path.of(command.get("file")));
        var key = "open".equals(what) ? Party.read(command.get("key")) : null;
        run(what, data, key, command, Integer.parseInt(command.get("warm")));
        var rounds = Integer.parseInt(command.get("rounds"));
        var started = cpu();
        run(what, data, key, command, rounds);
        return Double.toString((cpu() - started) / 1e9 / rounds);
    }

    private static void run(
            String what, byte[] data, Party key, Map<String, String> command, int rounds)
            throws Exception {
        for (var round = 0; round < rounds; round += 1) {
            if (key != null) {
                Opening.open(data, key);
            } else {
                Sealing.seal(data, command);
            }
        }
    }

    private static long cpu() {
        var system = (com.sun.management.OperatingSystemMXBean)
            ManagementFactory.getOperatingSystemMXBean();
        return system.getProcessCpuTime();
    }
}
