package hapi;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * HAPI FHIR's validator over resources: one a line on standard input, and on standard output one
 * JSON object for each problem, then one that says how many resources were read.
 */
public final class Main {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int AT_ONCE = 32;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        var workers = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());
        try {
            System.out.println(JSON.writeValueAsString(Map.of("read", readAll(workers))));
        } finally {
            workers.shutdownNow();
        }
    }

    private static int readAll(ExecutorService workers) throws Exception {
        var validator = new R4();
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var read = 0;
        for (var resources = next(input); !resources.isEmpty(); resources = next(input)) {
            report(validator, resources, read, workers);
            read += resources.size();
        }
        return read;
    }

    private static List<String> next(BufferedReader input) throws IOException {
        var lines = new ArrayList<String>();
        for (String line; lines.size() < AT_ONCE && (line = input.readLine()) != null; ) {
            lines.add(line);
        }
        return lines;
    }

    private static void report(R4 validator, List<String> resources, int read, ExecutorService workers)
            throws Exception {
        var tasks = new ArrayList<Callable<List<Problem>>>();
        for (var resource : resources) {
            tasks.add(() -> validator.problems(resource));
        }
        var line = read;
        for (var found : workers.invokeAll(tasks)) {
            for (var problem : found.get()) {
                System.out.println(JSON.writeValueAsString(problem.at(line)));
            }
            line++;
        }
    }
}
