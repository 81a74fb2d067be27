// Threads 0|1: work on many threads whose output is the same in every run; 1 does ten times as much.
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.locks.*;
import java.util.stream.*;

class Threads {
    static int recurse(int n) { return n == 0 ? 0 : 1 + recurse(n - 1); }

    static int overflow(int n) { return 1 + overflow(n + 1); }

    // Garbage, exceptions, null pointers (which the machine finds by SIGSEGV) and stack overflows.
    static long work(int seed) {
        Random random = new Random(seed);
        Map<Integer, List<String>> words = new TreeMap<>();
        long sum = 0;
        for (int i = 0; i < 20000; i++) {
            int key = random.nextInt(1000);
            words.computeIfAbsent(key, k -> new ArrayList<>()).add(Integer.toString(key * i, 36));
            try {
                String word = i % 100 == 0 ? null : "word" + key;
                sum += word.length() + recurse(key % 50);
            } catch (NullPointerException e) {
                sum += 7;
            }
            if (words.get(key).size() > 15) words.remove(key);
        }
        try {
            overflow(0);
        } catch (StackOverflowError e) {
            sum += 1000;
        }
        return sum * 31 + words.hashCode();
    }

    public static void main(String[] arguments) throws Exception {
        int rounds = arguments[0].equals("0") ? 4 : 40;
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Long>> results = new ArrayList<>();
        for (int i = 0; i < 16 * rounds; i++) {
            int seed = i;
            results.add(pool.submit(() -> work(seed)));
        }
        for (Future<Long> result : results) System.out.println(result.get());
        pool.shutdown();
        System.out.println(LongStream.range(0, 2_000_000).parallel().map(x -> x * x % 977).sum());

        long[] counter = {0};
        ReentrantLock lock = new ReentrantLock();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            Thread thread = new Thread(() -> {
                for (int j = 0; j < 200; j++) {
                    lock.lock();
                    counter[0] += j;
                    lock.unlock();
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) thread.join();
        System.out.println(counter[0]);

        Process child = new ProcessBuilder("sh", "-c", "echo from a child; exit 3").inheritIO().start();
        System.out.println(child.waitFor());
        System.exit(5);
    }
}
