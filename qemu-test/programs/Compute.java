// SPDX-License-Identifier: GPL-2.0
import java.io.File;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.util.HashMap;
import java.util.Map;

/**
 * Real program: a virtual machine that computes in two threads and makes garbage (argument "busy"), or waits
 * ("idle"). It checks its numbers from scratch at the end.
 */
public class Compute {
    private static final FileOutputStream OUT = new FileOutputStream(FileDescriptor.out);
    private static final Object LOCK = new Object();
    private static long ticks;

    private static void say(String text) throws Exception {
        OUT.write((text + "\n").getBytes());
    }

    private static boolean goGiven() {
        return new File(System.getenv("CKPT_GO")).exists();
    }

    private static long step(long state) {
        return state * 6364136223846793005L + 1442695040888963407L;
    }

    public static void main(String[] arguments) throws Exception {
        boolean busy = arguments.length > 0 && arguments[0].equals("busy");
        boolean disturb = "1".equals(System.getenv("CKPT_DISTURB"));
        Map<Long, String> kept = new HashMap<>();
        Thread ticker = new Thread(() -> {
            try {
                while (true) {
                    synchronized (LOCK) {
                        ticks++;
                        LOCK.notifyAll();
                    }
                    Thread.sleep(5);
                }
            } catch (InterruptedException e) {
                // The main thread says that it is enough.
            }
        });
        ticker.start();
        long rounds = 0;
        long state = 1;
        while (rounds < 3 || !goGiven()) {
            rounds++;
            for (int i = 0; i < (busy ? 20000 : 10); i++) {
                state = step(state);
            }
            kept.put(rounds, Long.toHexString(state));
            synchronized (LOCK) {
                long before = ticks;
                while (ticks == before) {
                    LOCK.wait();
                }
            }
            if (busy || rounds <= 2) {
                say("round " + rounds + " state " + Long.toHexString(state));
            }
            if (rounds == 2) {
                say("ready");
            }
            if (disturb && rounds == 3) {
                state = step(state);
            }
        }
        ticker.interrupt();
        ticker.join();
        long again = 1;
        for (long r = 1; r <= rounds; r++) {
            for (int i = 0; i < (busy ? 20000 : 10); i++) {
                again = step(again);
            }
            if (!Long.toHexString(again).equals(kept.get(r))) {
                say("FAIL round " + r + " was " + kept.get(r));
                System.exit(1);
            }
        }
        say("OK");
        System.exit(0);
    }
}
