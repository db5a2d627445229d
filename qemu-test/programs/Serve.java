// SPDX-License-Identifier: GPL-2.0
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The server of java.py: one thread waits for connections and requests, others read and answer them. Each connection adds up what it is
 * sent.
 */
public class Serve {
    private static final AtomicLong ALL = new AtomicLong();
    private static final ExecutorService WORKERS = Executors.newFixedThreadPool(3);

    /** What is known of a connection; one thread at a time is at it. */
    private static class Connection {
        private final ByteBuffer bytes = ByteBuffer.allocate(4096);
        private final StringBuilder line = new StringBuilder();
        private long own;

        private String answer() {
            long value = Long.parseLong(line.toString());
            line.setLength(0);
            own += value;
            long all = ALL.addAndGet(value);
            return value == 0 ? all + "\n" : own + " " + "x".repeat((int) (own % 5000)) + "\n";
        }

        /** Whether there may be more. */
        private boolean serve(SocketChannel channel) throws IOException {
            if (channel.read(bytes.clear()) < 0) {
                channel.close();
                return false;
            }
            bytes.flip();
            while (bytes.hasRemaining()) {
                char c = (char) bytes.get();
                if (c != '\n') {
                    line.append(c);
                    continue;
                }
                ByteBuffer answer = ByteBuffer.wrap(answer().getBytes(StandardCharsets.US_ASCII));
                while (answer.hasRemaining()) {
                    channel.write(answer);
                }
            }
            return true;
        }
    }

    private static void work(SelectionKey key) {
        try {
            if (((Connection) key.attachment()).serve((SocketChannel) key.channel())) {
                key.interestOps(SelectionKey.OP_READ);
            }
            key.selector().wakeup();
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Selector selector = Selector.open();
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(arguments[0]));
        server.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select(key -> {
                if (key.channel() != server) {
                    // Until a worker has done with it.
                    key.interestOps(0);
                    WORKERS.execute(() -> work(key));
                    return;
                }
                try {
                    SocketChannel channel = server.accept();
                    channel.configureBlocking(false).register(selector, SelectionKey.OP_READ, new Connection());
                } catch (IOException e) {
                    e.printStackTrace();
                    System.exit(1);
                }
            });
        }
    }
}
